#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/control.hpp"
#include "cli/output.hpp"
#include "cli/placing.hpp"
#include "cli/programs.hpp"
#include "cli/verb.hpp"

namespace skerry::cli {
namespace {

using nlohmann::json;

struct Flags {
  std::string action, target;
  PlacingFlags placing;
  InputFlags input;
  std::uint64_t shots = 0;
  bool exact = false;
  std::vector<std::string> observables;
};

int examine(const Flags& flags, const Context& context) {
  edge::EdgeExecutionConfig config = flags.placing.config(context.settings);
  config.cloud_endpoint = flags.target;
  const auto steps = edge::examine_endpoint(config);
  const bool well = steps.back().ok;
  json rows = json::array();
  for (const edge::DoctorStep& step : steps) {
    rows.push_back({{"name", step.name}, {"ok", step.ok}, {"finding", step.finding}, {"seconds", step.seconds}});
    if (!context.json) std::printf("%-8s %-4s %s\n", step.name.c_str(), step.ok ? "ok" : "NO", step.finding.c_str());
  }
  if (context.json) print_json({{"ok", well}, {"steps", rows}});
  return well ? 0 : error_info(ErrorCode::unavailable).exit_code;
}

int run(const Flags& flags, const Context& context) {
  const Interruptible interruptible(context.terminal);
  const Program program = skerry::load(flags.target);
  const auto* circuit = std::get_if<Circuit>(&program);
  if (circuit == nullptr)
    throw Error(ErrorCode::invalid_argument, "the program is a model, not a circuit", flags.target, "use skerry run");
  flags.input.check(program);
  RunOptions options = context.settings.run_options();
  flags.input.apply(options);
  if (options.noise != nullptr)
    throw Error(ErrorCode::unsupported, "edge execution simulates no noise", "--noise", "use skerry run");
  edge::ExecutionInput input{
      .parameters = options.parameters,
      .named_parameters = options.named_parameters,
      .initial_state = std::nullopt,
      .shots = flags.shots != 0 || flags.exact || !flags.observables.empty() ? flags.shots : 1024,
      .seed = options.seed,
      .observables = {},
      .control = interruptible.control()};
  for (const std::string& text : flags.observables)
    input.observables.push_back(Observable::parse(text, circuit->num_wires()));
  const edge::EdgeExecutionConfig config = flags.placing.config(context.settings);
  const auto compiler = std::make_shared<edge::CircuitCompiler>(config);
  edge::EdgeExecutor executor(config, compiler);
  const edge::ResultPtr done = executor.execute(compiler->compile_circuit(*circuit), input);
  if (context.json) {
    json object = result_json(done->result);
    object["execution_method"] = edge::execution_method_name(done->method);
    object["placement"] = placement_json(done->placement);
    print_json(object);
    return 0;
  }
  if (done->result.counts.size() > 0) std::fputs(histogram(done->result.counts).c_str(), stdout);
  for (const double value : done->result.expectations) std::printf("expectation %.12g\n", value);
  std::fputs(done->placement.explain().c_str(), stderr);
  std::fprintf(stderr, "%s\n", report_text(done->result.report).c_str());
  return 0;
}

Action declare(const Command& command) {
  auto flags = std::make_shared<Flags>();  // shared: std::function copies its target
  command.add_option("action", flags->action, "run a circuit where it fits, or doctor an endpoint")
      .type_name("")
      .required();
  command.add_option("target", flags->target, "The circuit's file, or the endpoint's address")
      .type_name("FILE|URL")
      .required();
  flags->placing.declare(command);
  flags->input.declare(command);
  command.add_count("--shots", flags->shots, "Samples; 1024 when left out, none with --exact or --observable");
  command.add_flag("--exact", flags->exact, "No samples");
  command
      .add_option("--observable", flags->observables, "Expectation value to compute, '0.5*Z0 Z1 - X2'; again for each")
      .type_name("SUM");
  return [flags](Context& context) {
    if (flags->action == "doctor") return examine(*flags, context);
    if (flags->action == "run") return run(*flags, context);
    throw Error(ErrorCode::invalid_argument, "there is nothing to do called '" + flags->action + "'", "edge",
                "skerry edge run FILE, or skerry edge doctor URL");
  };
}

}  // namespace

extern const Verb edge_verb;
const Verb edge_verb = {
    "edge",
    "Run a circuit here, in pieces or at an endpoint; examine an endpoint",
    "skerry edge run big.qasm --max-memory-mb 64 --observable 'Z0 Z19'\n"
    "skerry edge run big.qasm --max-memory-mb 64 --shots 1000 --cloud-endpoint http://127.0.0.1:8000\n"
    "skerry edge doctor http://127.0.0.1:8000\n",
    true,
    declare,
};

}  // namespace skerry::cli
