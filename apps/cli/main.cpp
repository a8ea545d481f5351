// skerry: the command line. Verbs are rows of verbs.def; this file parses, dispatches and maps errors to exit codes.
#include <fcntl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <memory>
#include <new>
#include <nlohmann/json.hpp>
#include <skerry/skerry.hpp>
#include <system_error>

#include "cli/output.hpp"
#include "cli/verb.hpp"
#include "frontend/suggest.hpp"
#include "serve/sandbox/worker.hpp"

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
        ->type_name(std::string(info.form))
        ->default_str(std::string(info.otherwise))
        ->group(kSettingsGroup);
  }
}

Settings with_flags(Settings settings, const SettingFlags& flags) {
  for (const auto& [name, value] : flags.given) {
    std::string flag = "--" + name;
    std::replace(flag.begin(), flag.end(), '_', '-');
    settings.set(name, value, flag);
  }
  return settings;
}

std::string indented(std::string_view lines) {
  std::string text;
  while (!lines.empty()) {
    const std::size_t end = std::min(lines.find('\n'), lines.size());
    text += (text.empty() ? "  " : "\n  ") + std::string(lines.substr(0, end));
    lines.remove_prefix(std::min(end + 1, lines.size()));
  }
  return text;
}

Error unknown_verb(const std::string& word) {
  frontend::Nearest nearest(word);
  for (const Verb* verb : verbs()) nearest.offer(verb->name);
  return {ErrorCode::invalid_argument, "there is no verb '" + word + "'", {}, nearest.hint("see skerry --help")};
}

// `left`: the words that no option took.
Error leftover_error(const CLI::App& app, const CLI::App* command, const std::vector<std::string>& left) {
  const std::string verb = command != nullptr ? command->get_name() : "";
  const std::string help = "see skerry " + verb + (verb.empty() ? "" : " ") + "--help";
  const auto option = std::find_if(left.begin(), left.end(), [](const auto& word) { return word.starts_with("-"); });
  if (option == left.end()) {
    return {ErrorCode::invalid_argument, "'" + left.back() + "' is one word too many", verb, help};
  }
  const std::string name = option->substr(0, option->find('='));
  frontend::Nearest nearest(name);
  std::vector<std::string> known;
  for (const CLI::App* holder : {&app, command}) {
    if (holder == nullptr) continue;
    for (const CLI::Option* candidate : holder->get_options()) {
      for (const std::string& word : candidate->get_lnames()) known.push_back("--" + word);
    }
  }
  for (const std::string& word : known) nearest.offer(word);
  return {ErrorCode::invalid_argument, "there is no option " + name, verb, nearest.hint(help)};
}

Error usage_error(const CLI::App& app, const CLI::ParseError& error, const std::string& first_word) {
  const auto parsed = app.get_subcommands();
  const CLI::App* command = parsed.empty() ? nullptr : parsed.front();
  if (command == nullptr && !first_word.starts_with("-")) return unknown_verb(first_word);
  if (const auto left = app.remaining(true); !left.empty()) return leftover_error(app, command, left);
  const std::string help = command != nullptr ? "see skerry " + command->get_name() + " --help" : "see skerry --help";
  if (dynamic_cast<const CLI::ArgumentMismatch*>(&error) != nullptr) {
    const std::string text = error.what();  // `--shots: 1 required N missing`, `--shots: At Most 1 required but …`
    const std::string option = text.substr(0, text.find(':'));
    if (command != nullptr && command->count(option) > 1)
      return {ErrorCode::invalid_argument, "it is given more than once", option, "give it once"};
    return {ErrorCode::invalid_argument, "the value is missing", text.substr(0, text.find(':')), help};
  }
  return {ErrorCode::invalid_argument, error.what(), command != nullptr ? command->get_name() : "", help};
}

int report(const Error& error, bool json) {
  if (json) print_json(error_json(error));
  std::fprintf(stderr, "skerry: %s\n", error.what());
  return error_info(error.code()).exit_code;
}

// What has to be known before options are parsed, since it decides their defaults.
struct FirstLook {
  std::string config, verb;
  bool wants_help = false;
};

FirstLook first_look(std::span<char* const> words) {
  FirstLook seen;
  for (std::size_t i = 1; i < words.size(); ++i) {
    const std::string_view word = words[i];
    const bool is_verb = std::ranges::any_of(verbs(), [word](const Verb* verb) { return verb->name == word; });
    if (seen.verb.empty() && is_verb) seen.verb = word;
    if (word == "--config" && i + 1 < words.size()) seen.config = words[++i];
    if (word.starts_with("--config=")) seen.config = word.substr(9);
    seen.wants_help = seen.wants_help || word == "--help" || word == "-h";
  }
  return seen;
}

int run(int argc, char** argv, bool json) {
  CLI::App app("Runs neural networks, quantum circuits and hybrids of both inside a budget of memory and time.",
               "skerry");
  app.set_version_flag("--version", "skerry " + std::string(version()));
  app.fallthrough();
  app.get_formatter()->column_width(34);
  app.footer(
      "skerry VERB --help tells a verb's own options.\n"
      "Exit codes: 0 ok, 2 usage, 3 bad input, 4 over budget, 5 remote unreachable, 6 refused, 70 internal.\n\n"
      "Examples:\n"
      "  skerry run ghz.qasm --shots 1000 --seed 7\n"
      "  skerry plan big.qasm --max-memory-mb 512\n"
      "  skerry compile model.onnx -O high -o model.skerry");
  std::string config;
  bool json_flag = false;  // read before parsing, so that usage errors are JSON too; declared here for --help
  app.add_flag("--json", json_flag, "Print one JSON object on stdout");
  app.add_option("--config", config, "Configuration file instead of the usual one")->type_name("FILE.toml");

  SettingFlags flags;
  struct Declared {
    CLI::App* command;
    Action action;
    VerbDefaults defaults;
  };
  std::vector<Declared> commands;
  Context context;
  const FirstLook seen = first_look(std::span(argv, static_cast<std::size_t>(argc)));
  for (const Verb* verb : verbs()) {
    CLI::App* command = app.add_subcommand(std::string(verb->name), std::string(verb->help));
    commands.push_back({command, verb->declare(Command(*command)), VerbDefaults(*command)});
    if (verb->takes_settings) declare_setting_flags(*command, flags);
    command->footer("With every verb: --json for one JSON object on stdout, --config FILE.toml.\n\nExamples:\n" +
                    indented(verb->examples));
  }
  // Only what is asked for: a mistake in another verb's table is that verb's.
  const auto asked =
      std::ranges::find_if(commands, [&](const Declared& one) { return one.command->get_name() == seen.verb; });
  if (asked != commands.end() && !seen.wants_help) {
    context.settings = Settings::read(seen.config);
    asked->defaults.apply(context.settings.of_verb(seen.verb));
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);
    return report(usage_error(app, error, argc > 1 ? argv[1] : "-"), json);
  }
  if (app.get_subcommands().empty()) {
    if (json) return report(Error(ErrorCode::invalid_argument, "no verb is given", {}, "see skerry --help"), json);
    std::fputs(app.help().c_str(), stderr);
    return error_info(ErrorCode::invalid_argument).exit_code;
  }

  const auto chosen = std::ranges::find_if(commands, [](const Declared& one) { return one.command->parsed(); });
  context.json = json;
  context.terminal = isatty(STDERR_FILENO) == 1;
  context.config = Settings::place(config);
  context.settings = with_flags(std::move(context.settings), flags);
  context.read_again = [&] {
    context.settings = with_flags(Settings::read(config), flags);
    chosen->defaults.apply(context.settings.of_verb(chosen->command->get_name()));
  };
  return chosen->action(context);
}

}  // namespace
}  // namespace skerry::cli

namespace {

// A file that is opened must not become the standard output of a process that was started without one.
void hold_standard_streams() {
  for (int stream = 0; stream <= 2; ++stream)
    if (fcntl(stream, F_GETFD) < 0) static_cast<void>(open("/dev/null", stream == 0 ? O_WRONLY : O_RDONLY));
}

// An answer that nobody got is no success.
int delivered(int code) {
  const bool was_lost = std::ferror(stdout) != 0;
  errno = 0;
  if (std::fflush(stdout) == 0 && !was_lost) return code;
  const skerry::Error error(skerry::ErrorCode::io_error,
                            "the answer could not be written: " +
                                (errno != 0 ? std::generic_category().message(errno) : std::string("a part is lost")),
                            "standard output", "is the disk full");
  std::fprintf(stderr, "skerry: %s\n", error.what());
  return code != 0 ? code : skerry::error_info(error.code()).exit_code;
}

}  // namespace

int main(int argc, char** argv) {
  using namespace skerry;
  hold_standard_streams();
  // Not a verb: nobody but a server starts its workers.
  if (argc > 0 && std::string_view(argv[0]) == serve::kWorkerWord)
    return serve::run_worker(std::span(argv, static_cast<std::size_t>(argc)));
  const bool json = std::any_of(argv, argv + argc, [](const char* word) { return std::string_view(word) == "--json"; });
  try {
    return delivered(cli::run(argc, argv, json));
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
