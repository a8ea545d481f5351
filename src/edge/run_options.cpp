#include "edge/run_options.hpp"

#include <random>
#include <span>

#include "package/digest.hpp"

namespace skerry::edge {
namespace {

// Two runs without a seed must differ; this is the one place that is allowed to.
std::uint64_t any_seed() {
  std::random_device device;
  return (std::uint64_t{device()} << 32) | device();
}

}  // namespace

RunOptions run_options(const EdgeExecutionConfig& config, const ExecutionInput& input) {
  RunOptions options;
  options.shots = input.shots;
  options.seed = input.seed || input.shots == 0 ? input.seed.value_or(0) : any_seed();
  options.precision = config.precision;
  options.parameters = input.parameters;
  options.named_parameters = input.named_parameters;
  options.observables = input.observables;
  options.want_state = input.shots == 0 && input.observables.empty();
  options.initial_state = input.initial_state;
  options.limits.threads = config.threads;
  options.limits.max_memory_bytes = static_cast<std::uint64_t>(config.max_memory_mb * 1e6);
  options.limits.max_execution_time = std::chrono::duration<double>(config.max_execution_time);
  options.limits.control = input.control;
  return options;
}

std::string question_key(const CompiledCircuit& circuit, const ExecutionInput& input) {
  if (input.shots != 0 && !input.seed) return {};
  std::string text =
      circuit.circuit_id + '|' + std::to_string(input.shots) + '|' + std::to_string(input.seed.value_or(0));
  const auto add = [&text](double value) { text.append(reinterpret_cast<const char*>(&value), sizeof value); };
  for (const double value : input.parameters) add(value);
  for (const auto& [name, value] : input.named_parameters) {
    text += '|' + name + '=';
    add(value);
  }
  for (const Observable& observable : input.observables)
    text += '|' + std::to_string(observable.num_wires()) + ':' + observable.text();
  if (input.initial_state) {
    const TensorView view = input.initial_state->view();
    text += '|' + package::hex(package::sha256(std::span(view.data(), view.bytes())));
  }
  return package::hex(package::sha256(std::as_bytes(std::span(text))));
}

}  // namespace skerry::edge
