#include <algorithm>
#include <chrono>

#include "base/threads.hpp"
#include "base/trace.hpp"
#include "exec/executor.hpp"

namespace skerry::exec {

RunControl started(const Limits& limits, RunControl control) {
  control.started = std::chrono::steady_clock::now();
  if (limits.max_execution_time) {
    constexpr std::chrono::duration<double> kLongest(1e9);  // more than a clock of nanoseconds may add
    const auto deadline = control.started + std::chrono::duration_cast<std::chrono::steady_clock::duration>(
                                                std::min(*limits.max_execution_time, kLongest));
    control.deadline = control.deadline ? std::min(*control.deadline, deadline) : deadline;
  }
  return control;
}

Result run(const planning::CircuitPlan& plan, std::span<const double> parameters, const Limits& limits) {
  const base::TraceSpan span("run_circuit", "exec");
  const base::ThreadLimit threads(plan.report.threads);
  const RunControl control = started(limits);
  base::MemoryBudget budget(limits.max_memory_bytes.value_or(base::MemoryBudget::kUnlimited));
  Result result;
  static_cast<CircuitResult&>(result) = plan.program->run(parameters, {budget, control});
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - control.started;
  result.report = {.method = plan.report.method,
                   .predicted_bytes = plan.report.peak_bytes,
                   .peak_bytes = budget.peak(),
                   .predicted_seconds = plan.report.seconds,
                   .seconds = elapsed.count(),
                   .threads = plan.report.threads};
  return result;
}

}  // namespace skerry::exec
