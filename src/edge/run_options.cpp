#include "edge/run_options.hpp"

#include <random>

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

}  // namespace skerry::edge
