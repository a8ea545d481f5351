#include <cstdlib>
#include <mutex>
#include <skerry/edge.hpp>
#include <skerry/error.hpp>
#include <utility>

#include "base/machine.hpp"
#include "edge/kept.hpp"
#include "edge/run_options.hpp"
#include "package/digest.hpp"

namespace skerry::edge {
namespace {

// A text that is equal exactly when two executions must give equal results; empty when they need not.
std::string result_key(const CompiledCircuit& circuit, const ExecutionInput& input) {
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

std::uint64_t bytes_of(const Result& result) {
  std::uint64_t bytes = sizeof(ExecutionResult) + 16 * result.expectations.size();
  bytes += result.counts.size() * (8 + (result.counts.bits() + 63) / 64 * 8);
  if (result.state) bytes += result.state->amplitudes().view().bytes();
  return bytes;
}

void require_free(std::uint64_t need, std::uint64_t promised) {
  const std::uint64_t available = base::available_memory_bytes();
  if (need + promised <= available) return;
  throw Error(ErrorCode::budget_exceeded,
              "the run needs " + std::to_string(need) + " bytes and " + std::to_string(available) +
                  " are free on this machine, of which other runs may take " + std::to_string(promised),
              "memory", "free memory, use single precision, or run it elsewhere");
}

}  // namespace

struct EdgeExecutor::State {
  State(EdgeExecutionConfig c, std::shared_ptr<CircuitCompiler> k)
      : config(std::move(c)), compiler(std::move(k)), kept(static_cast<std::uint64_t>(config.cache_size_mb * 1e6)) {}

  ResultPtr find(const std::string& key) {
    if (!config.enable_caching || key.empty()) return nullptr;
    const std::scoped_lock lock(mutex);
    ResultPtr found = kept.use(key);
    statistics.cache_hits += found ? 1U : 0U;
    return found;
  }

  // Counts a run in, and out again whatever becomes of it.
  class Running {
   public:
    Running(State& state, std::uint64_t bytes) : state_(state), bytes_(bytes) {
      const std::scoped_lock lock(state_.mutex);
      require_free(bytes, state_.running_bytes);
      state_.running_bytes += bytes_;
      ++state_.running;
    }
    ~Running() {
      const std::scoped_lock lock(state_.mutex);
      state_.running_bytes -= bytes_;
      --state_.running;
    }
    Running(const Running&) = delete;
    Running& operator=(const Running&) = delete;

   private:
    State& state_;
    std::uint64_t bytes_;
  };

  EdgeExecutionConfig config;
  std::shared_ptr<CircuitCompiler> compiler;  // shared: a manager and its executor look at one
  mutable std::mutex mutex;
  Kept<ExecutionResult> kept;
  PerformanceStatistics statistics;
  std::uint64_t running = 0, running_bytes = 0;
};

EdgeExecutor::EdgeExecutor(EdgeExecutionConfig config, std::shared_ptr<CircuitCompiler> compiler) {
  config.validate();
  state_ = std::make_unique<State>(std::move(config), std::move(compiler));
}
EdgeExecutor::~EdgeExecutor() = default;

ResultPtr EdgeExecutor::execute(std::string_view circuit_id, const ExecutionInput& input) {
  return execute(state_->compiler->compiled_circuit(circuit_id), input);
}

ResultPtr EdgeExecutor::execute(const CompiledPtr& circuit, const ExecutionInput& input) {
  const auto start = std::chrono::steady_clock::now();
  const auto elapsed = [&] { return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count(); };
  const auto count = [&](double seconds) {
    ++state_->statistics.edge_executions;
    state_->statistics.total_seconds += seconds;
  };
  const std::string key = result_key(*circuit, input);
  if (const ResultPtr found = state_->find(key)) {
    ExecutionResult again = *found;
    again.from_cache = true;
    again.seconds = elapsed();
    const std::scoped_lock lock(state_->mutex);
    count(again.seconds);
    return std::make_shared<const ExecutionResult>(std::move(again));
  }
  const State::Running running(*state_, circuit->estimated_bytes);
  ExecutionResult done{.circuit_id = circuit->circuit_id,
                       .result = skerry::run(circuit->circuit, run_options(state_->config, input))};
  done.memory_bytes = done.result.report.peak_bytes;
  done.seconds = elapsed();
  auto result = std::make_shared<const ExecutionResult>(std::move(done));
  const std::scoped_lock lock(state_->mutex);
  count(result->seconds);
  if (state_->config.enable_caching && !key.empty())
    state_->kept.keep(key, result, bytes_of(result->result), result->seconds);
  return result;
}

PerformanceStatistics EdgeExecutor::statistics() const {
  const std::scoped_lock lock(state_->mutex);
  return state_->statistics;
}

Resources EdgeExecutor::resources() const {
  double load = 0.0;
  if (getloadavg(&load, 1) != 1) load = 0.0;
  const std::scoped_lock lock(state_->mutex);
  return {.available_bytes = base::available_memory_bytes(),
          .usable_cpus = base::usable_cpus(),
          .load = load,
          .running = state_->running,
          .running_bytes = state_->running_bytes};
}

void EdgeExecutor::clear_cache() {
  const std::scoped_lock lock(state_->mutex);
  state_->kept.clear();
}

}  // namespace skerry::edge
