#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/output.hpp"
#include "cli/programs.hpp"
#include "cli/verb.hpp"

namespace skerry::cli {
namespace {

struct Flags {
  ProgramFlags program;
  InputFlags input;
  std::uint64_t shots = 1024;
};

int show(const Context& context, const Plan& plan, const std::string& refusal) {
  if (context.json) {
    auto object = plan_json(plan);
    object["ok"] = refusal.empty();
    object["fits"] = refusal.empty();
    if (!refusal.empty()) object["refusal"] = refusal;
    print_json(object);
  } else {
    std::fputs(plan.explain().c_str(), stdout);
    if (!refusal.empty()) std::printf("  would be refused: %s\n", refusal.c_str());
  }
  return refusal.empty() ? 0 : error_info(ErrorCode::budget_exceeded).exit_code;
}

Action declare(CLI::App& command) {
  auto flags = std::make_shared<Flags>();  // shared: std::function copies its target
  flags->program.declare(command);
  flags->input.declare(command);
  add_count(command, "--shots", flags->shots, "Samples of a circuit; 1024 when left out");
  return [flags](Context& context) {
    const Program program = flags->program.load();
    flags->input.check(program);
    if (const auto* circuit = std::get_if<Circuit>(&program)) {
      RunOptions options = context.settings.run_options();
      options.shots = flags->shots;
      flags->input.apply(options);
      std::string refusal;
      const Plan report = plan(*circuit, options, &refusal);
      return show(context, report, refusal);
    }
    const Graph& graph = std::get<Graph>(program);
    return show(context, plan(graph, flags->input.types(graph), context.settings.limits()), {});
  };
}

}  // namespace

extern const Verb plan_verb;
const Verb plan_verb = {
    "plan",
    "Tell what a run would take, where it would run and why",
    "skerry plan big.qasm --max-memory-mb 512\n"
    "skerry plan model.onnx --shape x=1,3,224,224 --json\n",
    true,
    declare,
};

}  // namespace skerry::cli
