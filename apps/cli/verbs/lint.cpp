#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <skerry/lint.hpp>

#include "cli/output.hpp"
#include "cli/programs.hpp"
#include "cli/verb.hpp"

namespace skerry::cli {
namespace {

int lint_program(const ProgramFlags& flags, const Context& context) {
  const Program program = flags.load();
  const auto* circuit = std::get_if<Circuit>(&program);
  if (circuit == nullptr) {
    throw Error(ErrorCode::unsupported, "this is a model, not a circuit", flags.file, "lint looks at circuits");
  }
  const std::vector<Finding> found = lint(*circuit);
  if (context.json) {
    auto array = nlohmann::json::array();
    for (const Finding& finding : found) {
      array.push_back(
          {{"name", finding.name}, {"message", finding.message}, {"hint", finding.hint}, {"where", finding.where}});
    }
    print_json({{"ok", true}, {"findings", array}});
  } else {
    for (const Finding& finding : found) {
      std::printf("%s%s%s: %s (%s)\n", finding.where.c_str(), finding.where.empty() ? "" : ": ", finding.name.c_str(),
                  finding.message.c_str(), finding.hint.c_str());
    }
    if (found.empty()) std::puts("nothing found");
  }
  return 0;
}

Action declare(const Command& command) {
  auto flags = std::make_shared<ProgramFlags>();  // shared: std::function copies its target
  flags->declare(command);
  return [flags](Context& context) { return lint_program(*flags, context); };
}

}  // namespace

extern const Verb lint_verb;
const Verb lint_verb = {
    "lint",
    "Tell where a circuit costs memory or gates for nothing",
    "skerry lint qft.qasm\n"
    "skerry lint ghz.qasm --json\n",
    false,
    declare,
};

}  // namespace skerry::cli
