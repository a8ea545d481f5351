#include <gtest/gtest.h>

#include <chrono>
#include <skerry/error.hpp>
#include <thread>

#include "exec/executor.hpp"

namespace skerry::exec {
namespace {

Circuit deep(std::uint32_t wires, std::size_t layers) {
  Circuit circuit(wires, wires);
  for (std::size_t layer = 0; layer < layers; ++layer) {
    for (Wire w = 0; w < wires; ++w) circuit.ry(0.1 * static_cast<double>(w + layer + 1), w);
    for (Wire w = 1; w < wires; ++w) circuit.cx(w - 1, w);
  }
  return circuit.measure_all();
}

Result run_it(const Circuit& circuit, const RunOptions& options) {
  return run(planning::plan_circuit(circuit, options), {}, options.limits);
}

TEST(RunCircuit, GivesTheSameCountsForAnyNumberOfThreads) {
  const Circuit circuit = deep(14, 3);
  RunOptions options{.shots = 5000, .seed = 11};
  options.limits.threads = 1;
  const Counts one = run_it(circuit, options).counts;
  options.limits.threads = 2;
  EXPECT_EQ(run_it(circuit, options).counts, one);
  EXPECT_EQ(one.shots(), 5000U);
}

TEST(RunCircuit, TakesNoMoreThanWasPredicted) {
  for (std::uint32_t wires = 1; wires < 18; wires += 4) {
    const Result result = run_it(deep(wires, 2), {.shots = 1000});
    EXPECT_LE(result.report.peak_bytes, result.report.predicted_bytes) << wires;
    EXPECT_GE(static_cast<double>(result.report.peak_bytes), 0.5 * static_cast<double>(result.report.predicted_bytes))
        << wires;
  }
}

TEST(RunCircuit, StopsSoonAfterItIsCancelled) {
  std::stop_source source;
  RunOptions options{.shots = 1};
  options.limits.control.stop = source.get_token();
  const auto plan = planning::plan_circuit(deep(22, 200), options);
  std::chrono::steady_clock::time_point asked;
  const std::jthread canceller([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    asked = std::chrono::steady_clock::now();
    source.request_stop();
  });
  try {
    run(plan, {}, options.limits);
    FAIL() << "ran to its end";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::cancelled);
  }
  // Far above the 50 ms that are aimed at: sanitizers and a busy machine are slower, an uninterruptible run is 100
  // times slower.
  EXPECT_LT(std::chrono::steady_clock::now() - asked, std::chrono::seconds(2));
}

TEST(RunCircuit, IsStoppedByItsDeadline) {
  RunOptions options{.shots = 1};
  const auto plan = planning::plan_circuit(deep(22, 200), options);
  options.limits.max_execution_time = std::chrono::duration<double>(0.1);
  try {
    run(plan, {}, options.limits);
    FAIL() << "ran to its end";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::deadline_exceeded);
  }
}

TEST(RunCircuit, ReportsProgressThatNeverFalls) {
  double last = 0.0;
  RunOptions options{.shots = 10};
  options.limits.control.progress = Progress([&last](double fraction, std::string_view) {
    EXPECT_GE(fraction, last);
    last = fraction;
  });
  run_it(deep(18, 10), options);
  EXPECT_GT(last, 0.5);
}

}  // namespace
}  // namespace skerry::exec
