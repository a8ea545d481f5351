// Circuits taken apart: the answers are those of the whole state, and of another method where there is no whole state.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <numeric>
#include <random>
#include <skerry/error.hpp>

#include "base/temporary_folder.hpp"
#include "base/threads.hpp"
#include "sim/method.hpp"
#include "sim/state/random_circuits.hpp"
#include "sim/statevector/light_cone.hpp"
#include "sim/statevector/product.hpp"

namespace skerry::sim {
namespace {

CircuitResult run_by(const Circuit& circuit, const RunOptions& options, const char* method = "statevector") {
  base::MemoryBudget budget;
  return find_method(method).prepare(circuit, options)->run({}, {budget, {}});
}

Observable random_observable(std::uint32_t wires, int terms, std::mt19937& random) {
  Observable out(wires);
  for (int t = 0; t < terms; ++t) {
    std::vector<std::uint32_t> on(wires);
    std::iota(on.begin(), on.end(), 0U);
    std::shuffle(on.begin(), on.end(), random);
    on.resize(random() % 4);
    std::string letters;
    for (std::size_t i = 0; i < on.size(); ++i) letters += "XYZ"[random() % 3];
    out.add(letters, on, static_cast<double>(random() % 100) / 50 - 1);
  }
  return out;
}

TEST(Split, AnswersOfRandomCircuitsAreThoseOfTheWholeState) {
  std::mt19937 random(1);
  int taken_apart = 0;
  for (int round = 0; round < 60; ++round) {
    const Circuit circuit = random_circuit(12, 14 + round % 20, random, 1);
    RunOptions whole;
    whole.want_state = true;
    const State state = *run_by(circuit, whole).state;
    RunOptions options;
    if (round % 2 == 0)
      for (int o = 0; o < 3; ++o) options.observables.push_back(random_observable(12, 4, random));
    if (round % 3 != 0) {
      options.want_probabilities = true;
      if (round % 4 != 0) options.probability_wires = {11, 2, 7, 4, 3};
    }
    if (round % 5 == 0) options.shots = 4000;
    const CircuitResult result = run_by(circuit, options);
    const auto parts = split(circuit, options);
    taken_apart += parts && parts->product ? 1 : 0;
    for (std::size_t o = 0; o < options.observables.size(); ++o)
      EXPECT_NEAR(result.expectations[o], state.expectation(options.observables[o]), 1e-12) << "round " << round;
    if (options.want_probabilities) {
      const Tensor expected = state.probabilities(options.probability_wires);
      ASSERT_EQ(result.probabilities->shape(), expected.shape());
      for (std::size_t i = 0; i < expected.as<double>().size(); ++i)
        ASSERT_NEAR(result.probabilities->as<double>()[i], expected.as<double>()[i], 1e-12) << "round " << round;
    }
    if (options.shots == 0) continue;
    // Distance of what was drawn from the distribution: its mean is below sqrt(outcomes / shots) / 2.
    const Tensor all = state.probabilities();
    double possible = 0, distance = 0;
    std::vector<double> drawn(all.as<double>().size());
    for (std::size_t i = 0; i < result.counts.size(); ++i)
      drawn[result.counts.outcome(i)[0]] = static_cast<double>(result.counts.times(i)) / 4000;
    for (std::size_t i = 0; i < drawn.size(); ++i) {
      possible += all.as<double>()[i] > 1e-14 ? 1 : 0;
      distance += std::abs(drawn[i] - all.as<double>()[i]) / 2;
      EXPECT_TRUE(drawn[i] == 0.0 || all.as<double>()[i] > 1e-14);
    }
    EXPECT_EQ(result.counts.shots(), 4000U);
    EXPECT_LT(distance, std::sqrt(possible / 4000) / 2 + 0.05) << "round " << round;
  }
  EXPECT_GT(taken_apart, 20);
}

TEST(Split, FortyWiresInBlocksAreSampledWithoutAStateOfForty) {
  Circuit circuit(40, 40);
  // Blocks of wires that stand apart: 0 4 8 …, 1 5 9 …
  for (Wire block = 0; block < 4; ++block) {
    circuit.h(block);
    for (Wire i = 0; i + 1 < 10; ++i) circuit.cx(4 * i + block, 4 * i + 4 + block);
  }
  for (Wire wire = 0; wire < 40; ++wire) circuit.measure(wire, 39 - wire);
  RunOptions options;
  options.shots = 4000;
  options.want_memory = true;
  const auto estimate = find_method("statevector").estimate(circuit, options);
  ASSERT_TRUE(estimate);
  EXPECT_LT(estimate->peak_bytes, 1U << 20);
  std::vector<CircuitResult> results;
  for (const int threads : {1, 2}) {
    base::set_thread_budget(threads);
    results.push_back(run_by(circuit, options));
  }
  base::set_thread_budget(0);
  EXPECT_EQ(results[0].memory, results[1].memory);
  EXPECT_EQ(results[0].counts.size(), 16U);
  for (std::size_t i = 0; i < results[0].counts.size(); ++i) {
    const std::string text = results[0].counts.text(i);
    for (std::size_t bit = 4; bit < 40; ++bit) EXPECT_EQ(text[bit], text[bit - 4]);
    EXPECT_NEAR(static_cast<double>(results[0].counts.times(i)), 250, 100);
  }
}

Circuit brickwork(std::uint32_t wires, int layers, std::mt19937& random) {
  Circuit circuit(wires);
  std::uniform_real_distribution<double> angle(-3, 3);
  for (Wire layer = 0; layer < static_cast<Wire>(layers); ++layer) {
    for (Wire wire = 0; wire < wires; ++wire) circuit.ry(angle(random), wire).rz(angle(random), wire);
    for (Wire wire = layer % 2; wire + 1 < wires; wire += 2) circuit.cx(wire, wire + 1);
  }
  return circuit;
}

TEST(Split, LocalObservablesOfAWideCircuitNeedTheirLightConesAlone) {
  std::mt19937 random(2);
  const Circuit circuit = brickwork(70, 4, random);
  RunOptions options;
  Observable energy(70);
  for (std::uint32_t wire = 0; wire + 1 < 70; ++wire) {
    const std::uint32_t pair[] = {wire, wire + 1};
    energy.add("ZZ", pair, 0.7);
    energy.add("X", std::span(pair).first(1), -0.3);
  }
  options.observables = {energy, Observable::parse("Y0 Y69 + 2", 70)};
  const auto estimate = find_method("statevector").estimate(circuit, options);
  ASSERT_TRUE(estimate);
  EXPECT_LT(estimate->peak_bytes, 1U << 20);
  const CircuitResult cones = run_by(circuit, options), chain = run_by(circuit, options, "mps");
  EXPECT_NEAR(cones.expectations[0], chain.expectations[0], 1e-9);
  EXPECT_NEAR(cones.expectations[1], chain.expectations[1], 1e-9);
}

TEST(Split, AFewMeasuredWiresOfAWideCircuitNeedTheirLightConeAlone) {
  std::mt19937 random(3);
  Circuit circuit = brickwork(70, 3, random);
  RunOptions options;
  options.want_probabilities = true;
  options.probability_wires = {35, 20, 36, 0};
  const Tensor cones = *run_by(circuit, options).probabilities;
  const Tensor chain = *run_by(circuit, options, "mps").probabilities;
  for (std::size_t i = 0; i < 16; ++i) EXPECT_NEAR(cones.as<double>()[i], chain.as<double>()[i], 1e-9);
}

TEST(Split, ChargesNoMoreThanItPredicts) {
  std::mt19937 random(4);
  for (int round = 0; round < 20; ++round) {
    const Circuit circuit = random_circuit(16, 20, random);
    RunOptions options;
    options.shots = 1000;
    options.want_memory = round % 2 == 0;
    options.want_probabilities = round % 3 == 0;
    options.observables = {random_observable(16, 5, random)};
    const auto estimate = find_method("statevector").estimate(circuit, options);
    ASSERT_TRUE(estimate);
    base::MemoryBudget budget(estimate->peak_bytes);
    estimate->prepare()->run({}, {budget, {}});
    EXPECT_GE(static_cast<double>(budget.peak()) * 1.1 + 4e6, static_cast<double>(estimate->peak_bytes));
  }
}

/// The shots of a source in stretches of odd lengths, out of order, against the memory of a run.
void expect_shots_of_run(const Circuit& circuit, std::uint64_t shots) {
  RunOptions options;
  options.shots = shots;
  options.seed = 11;
  options.want_memory = true;
  const CircuitResult result = run_by(circuit, options);
  const std::size_t words = (std::size_t{result.counts.bits()} + 63) / 64;
  options.shots = 100;
  const auto program = find_method("statevector").prepare(circuit, options);
  base::MemoryBudget budget;
  const RunControl control;
  const auto source = program->shots({}, {budget, control});
  for (const auto& [first, count] :
       std::vector<std::pair<std::uint64_t, std::uint64_t>>{{700, 100}, {0, 33}, {33, 99}}) {
    std::vector<std::uint64_t> drawn(count * words, ~std::uint64_t{0});
    source->outcomes(first, drawn);
    for (std::size_t i = 0; i < drawn.size(); ++i) ASSERT_EQ(drawn[i], result.memory[first * words + i]) << first;
  }
}

TEST(Shots, AreThoseOfARunInAnyOrder) {
  std::mt19937 random(5);
  for (int round = 0; round < 4; ++round) expect_shots_of_run(random_circuit(5, 20, random), 1000);
  expect_shots_of_run(random_circuit(13, 10, random), 1000);  // in registers
  expect_shots_of_run(brickwork(12, 4, random), 1000);        // in one
  expect_shots_of_run(Circuit(3), 1000);                      // no gate at all
  Circuit branching(3, 70);
  branching.h(0).measure(0, 69).h(0).ry(0.7, 1).measure(1, 3).reset(1).ry(1.1, 1).cx(0, 1).measure(0, 0).measure(1, 65);
  expect_shots_of_run(branching, 1000);
}

TEST(Disk, GivesTheBitsOfAStateInMemoryWhateverTheWindow) {
  const base::TemporaryFolder folder;
  std::mt19937 random(6);
  for (int round = 0; round < 12; ++round) {
    const Circuit circuit = round % 2 == 0 ? random_circuit(13, 40, random) : brickwork(14, 5, random);
    RunOptions options;
    options.precision = round % 3 == 0 ? Precision::single_precision : Precision::double_precision;
    options.want_state = true;
    const State inside = *run_by(circuit, options).state;
    options.limits.disk_folder = folder.path();
    options.limits.checkpoint = round % 4 > 1;
    options.limits.max_memory_bytes = std::uint64_t{48 + 100 * static_cast<unsigned>(round % 5)} << 10;
    const auto estimate = find_method("statevector").estimate(circuit, options);
    ASSERT_TRUE(estimate);
    base::MemoryBudget budget;
    const State outside = *estimate->prepare()->run({}, {budget, {}}).state;
    EXPECT_LE(budget.peak(), estimate->peak_bytes);
    double distance = 0;
    for (std::uint64_t i = 0; i < (std::uint64_t{1} << circuit.num_wires()); ++i)
      distance = std::max(distance, std::abs(inside.amplitude(i) - outside.amplitude(i)));
    EXPECT_LT(distance, options.precision == Precision::single_precision ? 1e-5 : 1e-13) << "round " << round;
    EXPECT_TRUE(std::filesystem::is_empty(folder.path())) << "round " << round;
  }
}

/// Measurements in the middle: what waits for its turn is run again from the start, on the same file.
TEST(Disk, MeasuresMidwayLikeAStateInMemory) {
  const base::TemporaryFolder folder;
  std::mt19937 random(9);
  Circuit circuit(13, 4);
  const auto layer = [&] {
    for (Wire w = 0; w < 13; ++w) circuit.ry(0.3 + 0.1 * static_cast<double>(random() % 20), w);
    for (Wire w = 0; w + 1 < 13; ++w) circuit.cx(w, w + 1);
  };
  circuit.measure(12, 3);  // before anything happens
  layer();
  circuit.measure(2, 0).measure(11, 1);
  layer();
  circuit.reset(5).measure(12, 2);
  layer();
  RunOptions options;
  options.seed = 5;
  Observable some(13);
  some.add("ZX", std::vector<std::uint32_t>{3, 12}, 1.0);
  for (const std::uint64_t shots : {std::uint64_t{0}, std::uint64_t{300}}) {
    options.shots = shots;
    options.observables = {some};
    options.limits = {};
    const CircuitResult inside = run_by(circuit, options);
    options.limits.disk_folder = folder.path();
    options.limits.max_memory_bytes = std::uint64_t{100} << 10;
    const auto estimate = find_method("statevector").estimate(circuit, options);
    ASSERT_TRUE(estimate);
    base::MemoryBudget budget(*options.limits.max_memory_bytes);
    const CircuitResult outside = estimate->prepare()->run({}, {budget, {}});
    EXPECT_LE(budget.peak(), estimate->peak_bytes);
    EXPECT_EQ(outside.counts, inside.counts);
    EXPECT_NEAR(outside.expectations[0], inside.expectations[0], 1e-12);
    EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
  }
  options.limits.checkpoint = true;
  EXPECT_FALSE(find_method("statevector").estimate(circuit, options)) << "and a checkpoint is not left out in silence";
}

/// Ends a run from inside after some of its passes, as a cancelled one ends; what a kill does is tested on the program.
TEST(Disk, ARunThatWasStoppedGoesOnToTheSameBits) {
  const base::TemporaryFolder folder;
  std::mt19937 random(7);
  const Circuit circuit = brickwork(14, 6, random);
  RunOptions options;
  options.want_state = true;
  options.limits.disk_folder = folder.path();
  options.limits.checkpoint = true;
  options.limits.max_memory_bytes = 128 << 10;
  const State whole = *run_by(circuit, options).state;
  for (const double stop_at : {0.1, 0.5, 0.9}) {
    std::stop_source stop;
    RunControl control;
    control.stop = stop.get_token();
    double before = 0, after = 1;
    control.progress = Progress([&](double fraction, std::string_view) {
      before = fraction;
      if (fraction > stop_at) stop.request_stop();
    });
    base::MemoryBudget budget;
    EXPECT_THROW(find_method("statevector").prepare(circuit, options)->run({}, {budget, control}), Error);
    EXPECT_FALSE(std::filesystem::is_empty(folder.path()));
    RunControl again;
    again.progress = Progress([&](double fraction, std::string_view) { after = std::min(after, fraction); });
    const State resumed = *find_method("statevector").prepare(circuit, options)->run({}, {budget, again}).state;
    EXPECT_EQ(std::memcmp(resumed.amplitudes().view().data(), whole.amplitudes().view().data(), 16 << 14), 0);
    EXPECT_TRUE(stop_at < 0.4 || after > before / 2);
    EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
  }
}

TEST(Disk, RefusesAFolderThatIsNotThereAndACheckpointWithoutOne) {
  RunOptions options;
  options.want_state = true;
  options.limits.checkpoint = true;
  EXPECT_THROW((void)find_method("statevector").estimate(Circuit(12).h(0), options), Error);
  options.limits.disk_folder = "/there/is/no/such/folder";
  EXPECT_THROW(run_by(Circuit(12).h(0), options), Error);
}

TEST(LightCone, DropsWhatCommutesWithTheQuestion) {
  Circuit circuit(4);
  circuit.h(0).cx(0, 1).h(2).cz(2, 3).t(1).rzz(0.3, 0, 1).cp(0.2, 1, 2);
  const auto gates = [&](std::vector<Interest> interests) {
    std::vector<std::uint32_t> out;
    for (const Register& one : light_cone(circuit, std::move(interests)))
      out.insert(out.end(), one.gates.begin(), one.gates.end());
    std::ranges::sort(out);
    return out;
  };
  using enum Interest;
  // A measurement sees no phase: h and cx are left.
  EXPECT_EQ(gates({diagonal, diagonal, none, none}), (std::vector<std::uint32_t>{0, 1}));
  // Its own wire and, through cx, the control.
  EXPECT_EQ(gates({none, diagonal, none, none}), (std::vector<std::uint32_t>{0, 1}));
  EXPECT_EQ(gates({diagonal, none, none, none}), (std::vector<std::uint32_t>{0}));
  // X on wire 2 sees the phases that 1 and 3 give it, and what decides them.
  EXPECT_EQ(gates({none, none, any, none}), (std::vector<std::uint32_t>{0, 1, 2, 3, 6}));
  EXPECT_EQ(gates({none, none, none, none}), (std::vector<std::uint32_t>{}));
}

}  // namespace
}  // namespace skerry::sim
