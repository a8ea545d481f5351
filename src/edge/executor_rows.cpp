// Many sets of parameters of one circuit: together where that saves something, else each a run of its own.

#include <algorithm>
#include <array>
#include <skerry/error.hpp>
#include <skerry/gradient.hpp>

#include "base/threads.hpp"
#include "edge/executor_state.hpp"
#include "edge/outbox/keep.hpp"
#include "edge/run_options.hpp"

namespace skerry::edge {
namespace {

using Clock = std::chrono::steady_clock;

double since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

std::vector<double> row_of(std::span<const double> rows, std::size_t row, std::size_t each) {
  const auto found = rows.subspan(row * each, each);
  return {found.begin(), found.end()};
}

// A message that a server takes, an answer that this machine holds, and an end within cloud_timeout.
std::size_t rows_together(remote::Asked asked, std::size_t parameters, double timeout, double seconds) {
  constexpr double kMostRows = 1024, kMostNumbers = 1e5, kMostAnswerBytes = 64e6, kShare = 0.25;
  const auto one = static_cast<double>(asked.most_bytes());
  asked.rows = 2;
  const double each = std::max(1.0, static_cast<double>(asked.most_bytes()) - one);
  return static_cast<std::size_t>(
      std::max(1.0, std::min({kMostRows, kMostNumbers / static_cast<double>(parameters), kMostAnswerBytes / each,
                              kShare * timeout / std::max(seconds, 1e-9)})));
}

}  // namespace

// Expectation values of a small circuit of gates, several rows in the lanes of a vector. Nothing: it is none, or the
// budget holds one row and not a batch.
std::vector<ResultPtr> EdgeExecutor::State::run_rows_here(const CompiledCircuit& circuit, const RunOptions& options,
                                                          std::span<const double> rows, const Placement& placement) {
  constexpr std::uint32_t kMostWires = 12;  // a batch of such states fits into a second-level cache
  const std::size_t each = circuit.circuit.parameters().size(), observables = options.observables.size();
  const std::size_t number = rows.size() / each;
  if (observables == 0 || options.shots != 0 || options.initial_state || circuit.circuit.num_wires() > kMostWires)
    return {};
  const auto start = Clock::now();
  std::optional<GradientProgram> program;
  try {
    program.emplace(circuit.circuit, options.observables, options.precision);
  } catch (const Error& error) {
    if (error.code() == ErrorCode::unsupported) return {};  // it measures or branches
    throw;
  }
  const std::uint64_t of_thread = std::max<std::uint64_t>(1, program->values_bytes(number));
  const std::uint64_t fit = options.limits.max_memory_bytes.value_or(~std::uint64_t{0}) / of_thread;
  if (fit == 0) return {};
  Limits limits = options.limits;
  const int threads = limits.threads != 0 ? limits.threads : base::thread_budget();
  limits.threads = static_cast<int>(std::min<std::uint64_t>(static_cast<std::uint64_t>(std::max(1, threads)), fit));
  const std::uint64_t need = of_thread * static_cast<std::uint64_t>(limits.threads);
  RunReport report;
  std::vector<double> values;
  {
    const Running counted(*this, need);
    values = program->values(rows, limits, report);
  }
  report.method = "statevector";
  report.predicted_bytes = need;
  report.threads = limits.threads;
  report.seconds = since(start) / static_cast<double>(number);
  std::vector<ResultPtr> results;
  for (std::size_t row = 0; row < number; ++row) {
    ExecutionResult one{.circuit_id = circuit.circuit_id, .result = {}};
    const auto begin = values.begin() + static_cast<std::ptrdiff_t>(row * observables);
    one.result.expectations.assign(begin, begin + static_cast<std::ptrdiff_t>(observables));
    one.result.report = report;
    one.method = ExecutionMethod::edge;
    one.placement = placement;
    one.memory_bytes = report.peak_bytes;
    one.seconds = report.seconds;
    results.push_back(finish({}, std::move(one)));
  }
  return results;
}

// Rows that the endpoint is given together, as one request or a few. What is known already, and what waits in the
// outbox, is left out; so is everything after a request that failed: each of these is then a run of its own, which may
// be placed elsewhere.
void EdgeExecutor::State::run_rows_far(const CompiledCircuit& circuit, const ExecutionInput& input,
                                       std::span<const double> rows, const Placement& placement,
                                       std::vector<ResultPtr>& results) {
  if (input.shots != 0 && !input.seed) return;  // rows are independent; one request has one seed
  const std::size_t each = circuit.circuit.parameters().size();
  ExecutionInput one = input;
  std::vector<std::size_t> asked;
  std::vector<std::string> keys;
  for (std::size_t row = 0; row < results.size(); ++row) {
    const auto start = Clock::now();
    one.parameters = row_of(rows, row, each);
    std::string key = question_key(circuit, one);
    results[row] = find(key, start);
    const bool waits = !results[row] && outbox &&
                       outbox->waiting(outbox::question_of(config, circuit, one), endpoint->options().url.text());
    if (results[row] || waits) continue;
    asked.push_back(row);
    keys.push_back(std::move(key));
  }
  double seconds = 0.0;
  for (const PlaceReport& place : placement.considered) seconds = std::max(seconds, place.seconds);
  RunOptions options = run_options(config, one);
  wire::CircuitRequest request = request_of(circuit.circuit, options);
  const std::size_t together = rows_together(remote::asked_of(request), each, config.cloud_timeout, seconds);
  for (std::size_t first = 0; first < asked.size(); first += together) {
    const std::size_t count = std::min(together, asked.size() - first);
    const auto start = Clock::now();
    if (first != 0) request = request_of(circuit.circuit, options);  // a token of its own
    request.parameter_sets.clear();
    for (std::size_t i = 0; i < count; ++i)
      request.parameter_sets.push_back({row_of(rows, asked[first + i], each), {}});
    std::vector<Result> answers;
    try {
      answers =
          run_remote(request, options, seconds * static_cast<double>(count), "cloud " + placement.considered[0].reason);
    } catch (const Error& error) {
      const bool has_other = outbox || next(placement, error, {ExecutionMethod::cloud});
      if (error.code() == ErrorCode::cancelled || (error.code() == ErrorCode::unavailable && !has_other)) throw;
      return;
    }
    const double taken = since(start) / static_cast<double>(count);
    for (std::size_t i = 0; i < count; ++i) {
      ExecutionResult done{.circuit_id = circuit.circuit_id, .result = std::move(answers[i])};
      done.method = ExecutionMethod::cloud;
      done.placement = placement;
      done.memory_bytes = bytes_of(done.result);
      done.seconds = taken;
      results[asked[first + i]] = finish(keys[first + i], std::move(done));
    }
  }
}

// One result for each row; null where it has to be a run of its own.
std::vector<ResultPtr> EdgeExecutor::State::run_rows(const CompiledPtr& circuit, const ExecutionInput& input,
                                                     std::span<const double> rows) {
  const std::size_t each = circuit->circuit.parameters().size(), number = rows.size() / each;
  std::vector<ResultPtr> results(number);
  if (number < 2) return results;
  const auto start = Clock::now();
  RunOptions options = run_options(config, input);
  options.parameters = row_of(rows, 0, each);
  Placement placement = decide(question(*circuit, options));
  placement.decision_seconds = since(start);
  if (!placement.refusal.empty() || placement.compressed) return results;
  if (placement.method == ExecutionMethod::edge) {
    auto here = run_rows_here(*circuit, options, rows, placement);
    if (!here.empty()) return here;
  }
  if (placement.method == ExecutionMethod::cloud) run_rows_far(*circuit, input, rows, placement, results);
  return results;
}

std::vector<ResultPtr> EdgeExecutor::execute_batch(const CompiledPtr& circuit, const ExecutionInput& input,
                                                   std::span<const double> rows) {
  const std::size_t each = circuit->circuit.parameters().size();
  if (rows.empty()) return {};
  if (each == 0 || rows.size() % each != 0) {
    throw Error(ErrorCode::invalid_argument,
                std::to_string(rows.size()) + " values are no rows of " + std::to_string(each) + " parameters",
                "parameters", "give [batch, " + std::to_string(each) + "]");
  }
  std::vector<ResultPtr> results = state_->run_rows(circuit, input, rows);
  ExecutionInput one = input;
  for (std::size_t row = 0; row < results.size(); ++row) {
    if (results[row]) continue;
    one.parameters = row_of(rows, row, each);
    results[row] = execute(circuit, one);
  }
  return results;
}

}  // namespace skerry::edge
