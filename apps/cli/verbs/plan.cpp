#include <algorithm>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/output.hpp"
#include "cli/placing.hpp"
#include "cli/programs.hpp"
#include "cli/verb.hpp"

namespace skerry::cli {
namespace {

struct Flags {
  ProgramFlags program;
  InputFlags input;
  PlacingFlags placing;
  AnswerFlags answers;
  std::uint64_t shots = 0, cutoff = 0;
};

// Where edge execution would run the circuit, when limits or an endpoint make that a question.
std::optional<edge::Placement> place(const Flags& flags, const Context& context, const Circuit& circuit,
                                     const RunOptions& options) {
  const bool is_limited = options.limits.max_memory_bytes || options.limits.max_execution_time;
  if (!options.amplitudes.empty() || options.noise != nullptr || acts_on_modes(circuit)) return std::nullopt;
  if (!is_limited && flags.placing.endpoint.empty()) return std::nullopt;
  const edge::EdgeExecutionConfig config = flags.placing.config(context.settings);
  const auto compiler = std::make_shared<edge::CircuitCompiler>(config);
  return edge::EdgeExecutor(config, compiler)
      .place(compiler->compile_circuit(circuit), {.parameters = options.parameters,
                                                  .named_parameters = options.named_parameters,
                                                  .initial_state = std::nullopt,
                                                  .shots = options.shots,
                                                  .seed = options.seed,
                                                  .observables = options.observables,
                                                  .control = {}});
}

int show(const Context& context, const Plan& plan, const std::string& refusal,
         const std::optional<edge::Placement>& placement) {
  const bool is_possible = refusal.empty() || (placement && placement->refusal.empty());
  if (context.json) {
    auto object = plan_json(plan);
    object["ok"] = is_possible;
    if (placement) object["placement"] = placement_json(*placement);
    object["fits"] = refusal.empty();
    if (!refusal.empty()) object["refusal"] = refusal;
    print_json(object);
  } else {
    std::fputs(plan.explain().c_str(), stdout);
    if (!refusal.empty()) std::printf("  would be refused: %s\n", refusal.c_str());
    if (placement) std::fputs(placement->explain().c_str(), stdout);
  }
  return is_possible ? 0 : error_info(ErrorCode::budget_exceeded).exit_code;
}

Action declare(const Command& command) {
  auto flags = std::make_shared<Flags>();  // shared: std::function copies its target
  flags->program.declare(command);
  flags->input.declare(command);
  flags->placing.declare(command);
  flags->answers.declare(command);
  command.add_count("--shots", flags->shots,
                    "Samples of a circuit; 1024 when left out, none with --observable or --amplitude");
  command.add_count("--cutoff", flags->cutoff,
                    "Photon numbers kept of each optical mode; 0: what the circuit says, else 10");
  return [flags](Context& context) {
    const Program program = flags->program.load();
    flags->input.check(program);
    if (const auto* circuit = std::get_if<Circuit>(&program)) {
      RunOptions options = context.settings.run_options();
      options.cutoff = static_cast<std::uint32_t>(std::min<std::uint64_t>(flags->cutoff, 0xffffffffU));
      flags->input.apply(options);
      flags->answers.apply(*circuit, options);
      constexpr std::uint64_t kUsualShots = 1024;
      options.shots = flags->shots != 0 || flags->answers.any() ? flags->shots : kUsualShots;
      std::string refusal;
      const Plan report = plan(*circuit, options, &refusal);
      return show(context, report, refusal, place(*flags, context, *circuit, options));
    }
    const Graph& graph = std::get<Graph>(program);
    return show(context, plan(graph, flags->input.types(graph), context.settings.limits()), {}, std::nullopt);
  };
}

}  // namespace

extern const Verb plan_verb;
const Verb plan_verb = {
    "plan",
    "Tell what a run would take, where it would run and why",
    "skerry plan big.qasm --max-memory-mb 512\n"
    "skerry plan big.qasm --max-memory-mb 64 --cloud-endpoint http://127.0.0.1:8000\n"
    "skerry plan model.onnx --shape x=1,3,224,224 --json\n",
    true,
    declare,
};

}  // namespace skerry::cli
