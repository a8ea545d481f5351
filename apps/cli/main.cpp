// skerry: the command line. Verbs are rows of verbs.def; this file parses, dispatches and maps errors to exit codes.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <memory>
#include <new>
#include <nlohmann/json.hpp>
#include <skerry/skerry.hpp>

#include "cli/output.hpp"
#include "cli/verb.hpp"

namespace skerry::cli {
namespace {

// Flags that stand for a setting exist on every verb that runs something; they win over file and environment.
struct SettingFlags {
  std::vector<std::pair<std::string, std::string>> given;
};

void declare_setting_flags(CLI::App& command, SettingFlags& flags) {
  for (const SettingInfo& info : setting_infos()) {
    std::string flag = "--" + std::string(info.name);
    std::replace(flag.begin(), flag.end(), '_', '-');
    command
        .add_option_function<std::string>(
            flag,
            [&flags, name = std::string(info.name)](const std::string& value) {
              flags.given.emplace_back(name, value);
            },
            std::string(info.help))
        ->group("Settings");
  }
}

int report(const Error& error, bool json) {
  if (json) print_json(error_json(error));
  std::fprintf(stderr, "skerry: %s\n", error.what());
  return error_info(error.code()).exit_code;
}

int run(int argc, char** argv, bool json) {
  CLI::App app("Runs neural networks, quantum circuits and hybrids of both inside a budget of memory and time.",
               "skerry");
  app.set_version_flag("--version", "skerry " + std::string(version()));
  app.require_subcommand(1);
  app.fallthrough();
  app.get_formatter()->column_width(34);
  app.footer("Exit codes: 0 ok, 2 usage, 3 bad input, 4 over budget, 5 remote unreachable, 6 refused, 70 internal.");
  std::string config;
  bool json_flag = false;  // read before parsing, so that usage errors are JSON too; declared here for --help
  app.add_flag("--json", json_flag, "Print one JSON object on stdout");
  app.add_option("--config", config, "Configuration file instead of the usual one")->check(CLI::ExistingFile);

  SettingFlags flags;
  std::vector<std::pair<CLI::App*, Action>> commands;
  for (const Verb* verb : verbs()) {
    CLI::App* command = app.add_subcommand(std::string(verb->name), std::string(verb->help));
    commands.emplace_back(command, verb->declare(*command));
    declare_setting_flags(*command, flags);
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);
    return report(Error(ErrorCode::invalid_argument, error.what(), {}, "see skerry --help"), json);
  }

  Context context;
  context.json = json;
  context.terminal = isatty(STDERR_FILENO) == 1;
  context.settings = Settings::read(config);
  for (const auto& [name, value] : flags.given) {
    std::string flag = "--" + name;
    std::replace(flag.begin(), flag.end(), '_', '-');
    context.settings.set(name, value, flag);
  }
  const auto chosen =
      std::find_if(commands.begin(), commands.end(), [](const auto& command) { return command.first->parsed(); });
  return chosen->second(context);
}

}  // namespace
}  // namespace skerry::cli

int main(int argc, char** argv) {
  using namespace skerry;
  const bool json = std::any_of(argv, argv + argc, [](const char* word) { return std::string_view(word) == "--json"; });
  try {
    return cli::run(argc, argv, json);
  } catch (const Error& error) {
    return cli::report(error, json);
  } catch (const std::bad_alloc&) {
    return cli::report(Error(ErrorCode::budget_exceeded, "the system has no memory left"), json);
  } catch (const std::filesystem::filesystem_error& error) {
    return cli::report(Error(ErrorCode::io_error, error.what()), json);
  } catch (const std::exception& error) {
    return cli::report(Error(ErrorCode::internal, error.what()), json);
  }
}
