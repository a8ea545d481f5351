// What a run does between two looks at its control, counted and not timed: a deadline far away makes every look ask the
// coarse clock, which this file therefore answers, and a page that is written for the first time is a minor fault.

#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <ctime>
#include <numeric>
#include <skerry/error.hpp>

#include "kernels/rates.hpp"
#include "sim/method.hpp"
#include "sim/state/random_circuits.hpp"
#include "sim/statevector/sweeps.hpp"

namespace {

std::atomic<bool> is_counting{false};
std::atomic<long> looks{0}, most_faults{0};
thread_local long faults_before = -1;

long faults_of_this_thread() {
  rusage use{};
  getrusage(RUSAGE_THREAD, &use);
  return use.ru_minflt;
}

void count_look() {
  ++looks;
  const long now = faults_of_this_thread();
  if (faults_before >= 0) {
    long most = most_faults.load();
    while (now - faults_before > most && !most_faults.compare_exchange_weak(most, now - faults_before)) {
    }
  }
  faults_before = now;
}

}  // namespace

/// Instead of the C library's, for this program.
// NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name): its names are reserved ones
extern "C" int clock_gettime(clockid_t clock, timespec* time) noexcept {
  if (clock == CLOCK_MONOTONIC_COARSE && is_counting.load(std::memory_order_relaxed)) count_look();
  return static_cast<int>(syscall(SYS_clock_gettime, clock, time));
}

namespace skerry::sim {
namespace {

/// Pages of 4 KiB between two looks: 8 MiB, of states of 64 MiB and more. Sanitizers touch pages of their own too.
#if defined(__SANITIZE_THREAD__)
constexpr long kMostFaults = 1L << 20;  // the sanitizer notes who touched what in memory of its own
#else
constexpr long kMostFaults = 2048;
#endif

struct Counted {
  long looks = 0, most_faults = 0;
};
template <class Work>
Counted count(Work work) {
  prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
  looks = most_faults = 0;
  faults_before = faults_of_this_thread();
  RunControl control;
  control.deadline = std::chrono::steady_clock::now() + std::chrono::hours(24);
  is_counting = true;
  work(control);
  is_counting = false;
  prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0);
  return {looks, most_faults};
}

Counted count_run(const Circuit& circuit, const RunOptions& options) {
  const auto program = find_method("statevector").prepare(circuit, options);
  return count([&](const RunControl& control) {
    base::MemoryBudget budget(std::uint64_t{1} << 40);  // with a limit, no memory of a run before is used again
    program->run({}, {budget, control});
  });
}

Circuit layers(std::uint32_t wires, std::uint32_t depth) {
  Circuit circuit(wires);
  for (std::uint32_t layer = 0; layer < depth; ++layer) {
    for (Wire wire = 0; wire < wires; ++wire) circuit.rx(0.1 + wire, wire).ry(0.2 + layer, wire);
    for (Wire wire = layer % 2; wire + 1 < wires; wire += 2) circuit.cz(wire, wire + 1);
  }
  return circuit;
}

TEST(Looks, NoStretchOfARunTouchesMuchNewMemory) {
  Circuit circuit = layers(23, 3);
  RunOptions options{.precision = Precision::single_precision};
  options.want_state = true;
  EXPECT_LE(count_run(circuit, options).most_faults, kMostFaults);
  options = {.shots = 1000, .precision = Precision::double_precision};
  EXPECT_LE(count_run(circuit.measure_all(), options).most_faults, kMostFaults);
}

TEST(Looks, NoStretchOfAnAnswerTouchesMuchNewMemory) {
  // In reverse order: neighbours in the state are far apart in the answer.
  RunOptions options{.precision = Precision::single_precision};
  options.want_probabilities = true;
  for (Wire wire = 23; wire-- > 0;) options.probability_wires.push_back(wire);
  const Counted counted = count_run(layers(23, 1), options);
  EXPECT_LE(counted.most_faults, kMostFaults);
  EXPECT_GE(counted.looks, (1 << 23) / (1 << 17));
}

TEST(Looks, ManyGatesOnOneWireAreLookedIntoMoreThanOncePerBlock) {
  constexpr int wires = 20;
  constexpr std::uint32_t gates = 2000;
  Circuit circuit(wires);
  std::vector<GateRef> refs;
  for (std::uint32_t i = 0; i < gates; ++i) {
    if (i % 2 == 0)
      circuit.rx(0.1 + i, 17);
    else
      circuit.ry(0.1 + i, 17);
    refs.push_back({0, i});
  }
  std::vector<std::uint32_t> positions(wires);
  std::iota(positions.begin(), positions.end(), 0U);
  const GateList list{&circuit, positions, refs, Direction::forward};
  const BoundSweeps<float> sweeps(plan_sweeps(list, wires, Precision::single_precision), list,
                                  [](ExprId) { return 0.0; });
  kernels::SweepScratch<float> scratch(sweeps.scratch_size(), 2, base::MemoryBudget{});
  std::vector<std::complex<float>> state(std::size_t{1} << wires);
  const Counted counted = count([&](const RunControl& control) {
    sweeps.apply({state.data(), wires}, 0, scratch, control);
  });
  const long actions = static_cast<long>(gates) << (wires - kernels::tile_shape<float>().bits());
  constexpr long between_looks = 1 << 18;  // so many actions, each some nanoseconds
  EXPECT_GE(counted.looks, actions / between_looks);
}

TEST(Looks, PlansAndNumbersOfLongCircuitsAreLookedInto) {
  const Circuit circuit = layers(20, 400);
  RunOptions options{.shots = 1, .precision = Precision::single_precision};
  const Counted counted = count([&](const RunControl& control) {
    options.limits.control = control;
    find_method("statevector").prepare(circuit, options);
  });
  EXPECT_GE(counted.looks, 400 * 20 * 2 / 4096);  // as many gates are looked through for one sweep
}

TEST(Looks, TheFirstMeasurementOfTheMachineIsLookedInto) {
  const Counted counted = count([](const RunControl& control) { kernels::measure_rates(2, control); });
  EXPECT_LE(counted.most_faults, kMostFaults + 4096);  // an element-wise pass: two blocks of 8 MiB
  EXPECT_GE(counted.looks, static_cast<long>(kernels::kRateCount) + 3 * (64 << 20) / (16 << 14));
  std::stop_source source;
  source.request_stop();
  EXPECT_THROW(kernels::measure_rates(2, {.stop = source.get_token()}), Error);
}

}  // namespace
}  // namespace skerry::sim
