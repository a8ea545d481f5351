// What base costs on the way of a run: a check, a charge, a span that is off, an empty loop on all threads.
#include <benchmark/benchmark.h>

#include <chrono>
#include <cstddef>
#include <skerry/profiler.hpp>
#include <skerry/progress.hpp>

#include "base/machine.hpp"
#include "base/memory.hpp"
#include "base/random.hpp"
#include "base/threads.hpp"
#include "base/trace.hpp"

namespace skerry::base {
namespace {

void check_idle(benchmark::State& state) {
  const RunControl control;
  for (auto _ : state) {
    benchmark::DoNotOptimize(&control);
    benchmark::ClobberMemory();
    control.check("gates");
  }
}
BENCHMARK(check_idle);

void check_with_stop_and_deadline(benchmark::State& state) {
  const std::stop_source source;
  const RunControl control{.stop = source.get_token(),
                           .deadline = std::chrono::steady_clock::now() + std::chrono::hours(1)};
  for (auto _ : state) {
    benchmark::DoNotOptimize(&control);
    benchmark::ClobberMemory();
    control.check("gates");
  }
}
BENCHMARK(check_with_stop_and_deadline);

void charge_and_release(benchmark::State& state) {
  MemoryBudget budget;
  for (auto _ : state) {
    budget.charge(64, "piece");
    budget.release(64);
  }
}
BENCHMARK(charge_and_release);

void span_when_off(benchmark::State& state) {
  for (auto _ : state) const TraceSpan span("piece", "base");
}
BENCHMARK(span_when_off);

/// Two looks at the clock and a place in the thread's list; some of the time is spent on telling lists that are full.
void span_when_on(benchmark::State& state) {
  const ProfilerSession session("on", 0);
  for (auto _ : state) const TraceSpan span("piece", "base");
}
BENCHMARK(span_when_on);

void uniform_number(benchmark::State& state) {
  Philox random(1);
  for (auto _ : state) benchmark::DoNotOptimize(random.uniform());
}
BENCHMARK(uniform_number);

void first_look_at_the_machine(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(usable_cpus());
}
BENCHMARK(first_look_at_the_machine);

/// Opening and closing a loop, its pieces empty: the smallest piece worth sharing out is a multiple of this.
void empty_loop(benchmark::State& state) {
  set_thread_budget(static_cast<int>(state.range(0)));
  const auto pieces = static_cast<std::size_t>(state.range(1));
  for (auto _ : state) {
    parallel_for(0, pieces, 1, [](std::size_t first, std::size_t) { benchmark::DoNotOptimize(first); });
  }
  set_thread_budget(0);
}
BENCHMARK(empty_loop)->Args({1, 2})->Args({2, 2})->Args({2, 1000})->UseRealTime();

}  // namespace
}  // namespace skerry::base
