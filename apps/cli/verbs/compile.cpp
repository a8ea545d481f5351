#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/control.hpp"
#include "cli/output.hpp"
#include "cli/programs.hpp"
#include "cli/verb.hpp"
#include "package/keys.hpp"
#include "plan/budget.hpp"

namespace skerry::cli {
namespace {

struct Flags {
  ProgramFlags program;
  std::string level = "medium", output, key;
  std::vector<std::string> disabled;
  bool compress = false, list = false;
};

nlohmann::json passes_json(const Compiled& compiled) {
  auto array = nlohmann::json::array();
  for (const PassReport& pass : compiled.passes) {
    array.push_back({{"name", pass.name}, {"seconds", pass.seconds}, {"before", pass.before}, {"after", pass.after}});
  }
  return array;
}

Level level_of(const Flags& flags) {
  try {
    return level_from_name(flags.level);
  } catch (const Error& error) {
    throw error.at("--level");
  }
}

int compile_program(const Flags& flags, const Context& context) {
  const Interruptible interruptible(context.terminal);
  CompileOptions options{
      .level = level_of(flags), .disabled_passes = flags.disabled, .control = interruptible.control()};
  const Compiled compiled = compile(flags.program.load(), options);
  SaveOptions save_options{
      .compress = flags.compress,
      .metadata = {{"source", std::filesystem::path(flags.program.file).filename().string()}, {"level", flags.level}}};
  if (!flags.key.empty()) save_options.key = package::read_secret_key(flags.key);
  save(compiled.program, flags.output, save_options);
  const auto bytes = std::filesystem::file_size(flags.output);
  if (context.json) {
    print_json({{"ok", true}, {"output", flags.output}, {"bytes", bytes}, {"passes", passes_json(compiled)}});
    return 0;
  }
  for (const PassReport& pass : compiled.passes) {
    std::printf("%-20s %8llu -> %8llu  %s\n", pass.name.c_str(), static_cast<unsigned long long>(pass.before),
                static_cast<unsigned long long>(pass.after), planning::seconds_text(pass.seconds).c_str());
  }
  std::printf("%s %s\n", flags.output.c_str(), planning::bytes_text(bytes).c_str());
  return 0;
}

Action declare(CLI::App& command) {
  auto flags = std::make_shared<Flags>();  // shared: std::function copies its target
  flags->program.declare(command);
  command.add_option("-O,--level", flags->level, "low, medium or high")->type_name("LEVEL")->capture_default_str();
  command.add_option("-o,--output", flags->output, "Package to write")->type_name("FILE.skerry")->required();
  command.add_option("--disable", flags->disabled, "Pass to leave out; again for each")
      ->type_name("PASS")
      ->allow_extra_args(false);
  command.add_flag("--compress", flags->compress, "Smaller file; weights are unpacked on load instead of mapped");
  command.add_option("--sign", flags->key, "Secret key file to sign with; see skerry keys")->type_name("FILE.key");
  return [flags](Context& context) { return compile_program(*flags, context); };
}

}  // namespace

extern const Verb compile_verb;
const Verb compile_verb = {
    "compile",
    "Optimise a program and write it as a package",
    "skerry compile model.onnx -O high -o model.skerry\n"
    "skerry compile ghz.qasm -o ghz.skerry --sign team.key\n"
    "skerry compile model.onnx -o small.skerry --compress --disable fold_constants\n",
    false,
    declare,
};

}  // namespace skerry::cli
