#include <algorithm>
#include <memory>
#include <set>
#include <skerry/compile.hpp>
#include <skerry/runtime.hpp>
#include <utility>

#include "base/wake.hpp"
#include "base/weighing.hpp"
#include "exec/executor.hpp"
#include "package/package.hpp"
#include "plan/planner.hpp"

namespace skerry {
namespace {

package::ReadOptions read_options(const LoadOptions& options) {
  return {.check = options.check_weights ? package::Check::full : package::Check::automatic,
          .trusted = options.trusted};
}

}  // namespace

std::string_view version() noexcept {
  return SKERRY_VERSION;
}

Program load_package(const std::filesystem::path& path, const LoadOptions& options) {
  return package::read(path, read_options(options)).contents.program;
}

void save(const Program& program, const std::filesystem::path& path, const SaveOptions& options) {
  package::Contents contents{.program = program, .metadata = options.metadata, .plans = {}};
  package::write(path, contents, {.compress = options.compress, .key = options.key});
}

std::vector<double> parameter_values(const Circuit& circuit, const RunOptions& options) {
  const auto& declared = circuit.parameters();
  std::string names;
  for (const auto& parameter : declared) names += (names.empty() ? "" : ", ") + parameter.name;
  const std::string where = circuit.name.empty() ? "parameters" : circuit.name;
  const std::string hint = names.empty() ? "the circuit has none" : "its parameters are " + names;
  if (!options.parameters.empty() && !options.named_parameters.empty()) {
    throw Error(ErrorCode::invalid_argument, "parameters are given both in order and by name", where,
                "give one of the two");
  }
  if (options.named_parameters.empty()) {
    if (options.parameters.size() != declared.size()) {
      throw Error(ErrorCode::invalid_argument,
                  "the circuit has " + std::to_string(declared.size()) + " parameters" +
                      (names.empty() ? "" : " (" + names + ")") + " but " + std::to_string(options.parameters.size()) +
                      " values were given",
                  where, "give one value per parameter");
    }
    return options.parameters;
  }
  // A name that is unknown tells more about a slip of the pen than the one it leaves without a value.
  std::set<std::string_view> known;
  for (const auto& parameter : declared) known.insert(parameter.name);
  for (const auto& [name, value] : options.named_parameters) {
    if (!known.contains(name))
      throw Error(ErrorCode::invalid_argument, "the circuit has no parameter '" + name + "'", where, hint);
  }
  std::vector<double> values;
  for (const auto& parameter : declared) {
    const auto found = options.named_parameters.find(parameter.name);
    if (found == options.named_parameters.end()) {
      throw Error(ErrorCode::invalid_argument, "parameter '" + parameter.name + "' has no value", where, hint);
    }
    values.push_back(found->second);
  }
  return values;
}

Plan plan(const Circuit& circuit, const RunOptions& options, std::string* refusal) {
  return planning::predict_circuit(circuit, options, refusal);
}

Plan plan(const Graph& graph, std::span<const TensorType> inputs, const Limits& limits) {
  // A prediction that is asked for is worth the measurement.
  planning::machine_rates(planning::planned_threads(limits), true, limits.control);
  // What a session would do with it, but for the weights themselves.
  const base::Weighing weighing;
  const auto compiled = std::get<Graph>(compile(graph, {.level = Level::high}).program);
  return planning::plan_graph(compiled, inputs, limits).report;
}

Result run(const Circuit& circuit, const RunOptions& options) {
  const std::vector<double> values = parameter_values(circuit, options);
  // While this thread plans, the others wake up; a smaller state is done before they have.
  constexpr std::uint32_t shared_out = 16;
  if (circuit.num_wires() >= shared_out) base::wake_threads(planning::planned_threads(options.limits));
  return exec::run(planning::plan_circuit(circuit, options), values, options.limits);
}

Result run(const Graph& graph, const NamedTensors& inputs, const Limits& limits, std::uint64_t seed) {
  Session session(std::make_shared<const Graph>(graph), limits);
  session.seed(seed);
  return session.run(inputs);
}

}  // namespace skerry
