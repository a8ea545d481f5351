#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/control.hpp"
#include "cli/output.hpp"
#include "cli/programs.hpp"
#include "cli/verb.hpp"
#include "data/npy.hpp"

namespace skerry::cli {
namespace {

constexpr std::uint64_t kDefaultShots = 1024;

struct Flags {
  ProgramFlags program;
  InputFlags input;
  std::uint64_t shots = 0;
  bool exact = false, probabilities = false;
  std::vector<std::string> observables, outputs;
};

void print(const Context& context, const Result& result) {
  if (context.json) return print_json(result_json(result));
  if (result.counts.size() > 0) std::fputs(histogram(result.counts).c_str(), stdout);
  for (const double value : result.expectations) std::printf("expectation %.12g\n", value);
  if (result.probabilities) std::printf("probabilities %s\n", tensor_text(*result.probabilities).c_str());
  for (const auto& [name, value] : result.outputs) std::printf("%s %.12g\n", name.c_str(), value);
  for (const auto& [name, tensor] : result.tensors) std::printf("%s %s\n", name.c_str(), tensor_text(tensor).c_str());
  std::fprintf(stderr, "%s\n", report_text(result.report).c_str());
}

Result run_circuit(const Circuit& circuit, const Flags& flags, const Context& context, const RunControl& control) {
  RunOptions options = context.settings.run_options();
  options.limits.control = control;
  flags.input.apply(options);
  options.want_probabilities = flags.probabilities;
  for (const std::string& text : flags.observables)
    options.observables.push_back(Observable::parse(text, circuit.num_wires()));
  const bool wants_exact = flags.exact || flags.probabilities || !flags.observables.empty();
  options.shots = flags.shots != 0 || wants_exact ? flags.shots : kDefaultShots;
  return skerry::run(circuit, options);
}

Result run_graph(const Graph& graph, const Flags& flags, const Context& context, const RunControl& control) {
  Limits limits = context.settings.limits();
  limits.control = control;
  Result result = skerry::run(graph, flags.input.tensors(), limits);
  for (const std::string& output : flags.outputs) {
    const auto [wanted, path] = split_assignment("--output", output);
    bool found = false;
    for (const auto& [name, tensor] : result.tensors) {
      if (name != wanted) continue;
      data::write_npy(path, tensor.view());
      found = true;
    }
    if (!found) throw Error(ErrorCode::invalid_argument, "the model has no output '" + wanted + "'", "--output");
  }
  return result;
}

Action declare(CLI::App& command) {
  auto flags = std::make_shared<Flags>();  // shared: std::function copies its target
  flags->program.declare(command);
  flags->input.declare(command);
  command.add_option("--shots", flags->shots,
                     "Samples of a circuit (default 1024, or none with --exact, --probabilities, --observable)");
  command.add_flag("--exact", flags->exact, "No samples, exact results only");
  command.add_flag("--probabilities", flags->probabilities, "Probabilities of all basis states");
  command.add_option("--observable", flags->observables,
                     "Expectation value to compute, as '0.5*Z0 Z1 - X2'; again for each");
  command.add_option("--output", flags->outputs, "Write an output of a model as NAME=FILE.npy; again for each");
  return [flags](Context& context) {
    const Interruptible interruptible(context.terminal);
    const Program program = flags->program.load();
    const auto* circuit = std::get_if<Circuit>(&program);
    const RunControl control = interruptible.control();
    print(context, circuit != nullptr ? run_circuit(*circuit, *flags, context, control)
                                      : run_graph(std::get<Graph>(program), *flags, context, control));
    return 0;
  };
}

}  // namespace

extern const Verb run_verb;
const Verb run_verb = {"run", "Run a circuit, a model or a package", declare};

}  // namespace skerry::cli
