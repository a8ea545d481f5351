#include <gtest/gtest.h>

#include <cmath>
#include <set>
#include <skerry/error.hpp>
#include <skerry/stabilizer.hpp>

#include "base/threads.hpp"
#include "sim/stabilizer/symptoms.hpp"

namespace skerry {
namespace {

/// A repetition code of `distance` data qubits, `rounds` rounds: detectors compare neighbouring rounds.
StabilizerCircuit repetition_code(std::uint32_t distance, std::uint32_t rounds, double p) {
  StabilizerCircuit circuit;
  const PauliChannel flip{.weights = {p, 0, 0}, .size = 3};
  PauliChannel pair{.weights = {}, .size = 15};
  for (std::size_t i = 0; i < 15; ++i) pair.weights[i] = p / 15;
  for (std::uint32_t q = 0; q < 2 * distance - 1; ++q) circuit.reset(q);
  for (std::uint32_t round = 0; round < rounds; ++round) {
    for (std::uint32_t q = 0; q < 2 * distance - 1; q += 2) circuit.noise(StabilizerOp::noise1, q, 0, flip);
    for (std::uint32_t a = 1; a < 2 * distance - 1; a += 2) {
      for (const std::uint32_t data : {a - 1, a + 1}) {
        circuit.gate(StabilizerOp::cx, data, a);
        circuit.noise(StabilizerOp::noise2, data, a, pair);
      }
    }
    for (std::uint32_t a = 1; a < 2 * distance - 1; a += 2) {
      const std::uint32_t record = circuit.measure(a);
      circuit.reset(a);
      std::vector<std::uint32_t> records = {record};
      if (round > 0) records.push_back(record - (distance - 1));
      circuit.add_detector(records);
    }
  }
  for (std::uint32_t q = 0; q < 2 * distance - 1; q += 2) circuit.measure(q);
  const std::uint32_t last = circuit.num_measurements() - 1;
  circuit.add_to_observable(0, {&last, 1});
  return circuit;
}

std::uint64_t word(const StabilizerSamples& samples, std::uint64_t shot, std::size_t word) {
  const auto words = static_cast<std::size_t>(samples.rows.shape()[1]);
  return samples.rows.as<std::uint64_t>()[shot * words + word];
}

/// Records of a run in which the Pauli string (x, z on qubits a, b) strikes behind step `at`.
std::vector<std::uint8_t> records_with(const StabilizerCircuit& circuit, std::size_t at, int on_a, int on_b) {
  StabilizerCircuit struck;
  const auto strike = [&](std::uint32_t qubit, int letter) {
    if (letter != 0)
      struck.gate(letter == 1 ? StabilizerOp::x : letter == 2 ? StabilizerOp::y : StabilizerOp::z, qubit);
  };
  for (std::size_t i = 0; i < circuit.steps().size(); ++i) {
    const StabilizerStep& s = circuit.steps()[i];
    if (s.op == StabilizerOp::measure)
      struck.measure(s.a);
    else if (s.op == StabilizerOp::reset)
      struck.reset(s.a);
    else if (s.op <= StabilizerOp::swap)
      struck.gate(s.op, s.a, s.b);
    if (i == at) strike(s.a, on_a);
    if (i == at) strike(s.b, on_b);
  }
  return sim::reference_records(struck, base::MemoryBudget(), {});
}

TEST(StabilizerSampler, EveryErrorFlipsTheDetectorsThatAForwardRunWithItFlips) {
  const StabilizerCircuit circuit = repetition_code(3, 3, 0.01);
  std::vector<std::vector<std::uint32_t>> bits_of(circuit.num_measurements());
  for (std::uint32_t d = 0; d < circuit.num_detectors(); ++d)
    for (const std::uint32_t record : circuit.detector(d)) bits_of[record].push_back(d);
  const auto table = sim::find_symptoms(circuit, bits_of, {});
  const auto clean = sim::reference_records(circuit, base::MemoryBudget(), {});
  std::multiset<std::vector<std::uint32_t>> expected, found;
  for (std::size_t at = 0; at < circuit.steps().size(); ++at) {
    const StabilizerOp op = circuit.steps()[at].op;
    if (op != StabilizerOp::noise1 && op != StabilizerOp::noise2) continue;
    for (int outcome = 1; outcome < (op == StabilizerOp::noise1 ? 4 : 16); ++outcome) {
      const auto struck = op == StabilizerOp::noise1 ? records_with(circuit, at, outcome, 0)
                                                     : records_with(circuit, at, outcome / 4, outcome % 4);
      std::vector<std::uint32_t> flips;
      for (std::uint32_t d = 0; d < circuit.num_detectors(); ++d) {
        int parity = 0;
        for (const std::uint32_t record : circuit.detector(d)) parity ^= struck[record] ^ clean[record];
        if (parity != 0) flips.push_back(d);
      }
      if (!flips.empty()) expected.insert(flips);
    }
  }
  for (const auto& group : table.groups) {
    ASSERT_NE(group.channel.size, 1U) << "no coin reaches a detector";
    for (std::size_t i = group.first; i < group.first + group.sites * group.channel.size; ++i)
      if (table.begin[i] != table.begin[i + 1])
        found.emplace(table.symptoms.begin() + static_cast<std::ptrdiff_t>(table.begin[i]),
                      table.symptoms.begin() + static_cast<std::ptrdiff_t>(table.begin[i + 1]));
  }
  EXPECT_EQ(found, expected);
}

TEST(StabilizerSampler, WithoutNoiseNoDetectorFires) {
  const auto counts = StabilizerSampler::of_detectors(repetition_code(5, 4, 0.0)).count(3000, 1);
  EXPECT_EQ(counts.shots, 3000U);
  EXPECT_EQ(counts.shots_with_events, 0U);
}

TEST(StabilizerSampler, ErrorsComeAsOftenAsTheirProbability) {
  StabilizerCircuit circuit;
  const std::array probabilities = {1e-3, 0.02, 0.3, 0.5, 1.0};
  for (std::uint32_t q = 0; q < 5; ++q) {
    circuit.noise(StabilizerOp::noise1, q, 0, {.weights = {0, probabilities[q], 0}, .size = 3});
    const std::uint32_t record = circuit.measure(q);
    circuit.noise(StabilizerOp::noise_record, 0, record, {.weights = {0.25}, .size = 1});
    circuit.add_detector({&record, 1});
  }
  constexpr double shots = 400'000;
  const auto counts = StabilizerSampler::of_detectors(circuit).count(400'000, 3);
  for (std::size_t q = 0; q < 5; ++q) {
    const double p = 0.75 * probabilities[q] + 0.25 * (1 - probabilities[q]);
    EXPECT_NEAR(static_cast<double>(counts.bits[q]), shots * p, 5 * std::sqrt(shots * p * (1 - p))) << q;
  }
}

TEST(StabilizerSampler, ADetectorThatIsACoinFallsEitherWay) {
  StabilizerCircuit circuit;
  circuit.gate(StabilizerOp::h, 0);
  const std::uint32_t first = circuit.measure(0), again = circuit.measure(0);
  circuit.add_detector({&first, 1});
  const std::array both = {first, again};
  circuit.add_detector(both);
  const auto counts = StabilizerSampler::of_detectors(circuit).count(100'000, 5);
  EXPECT_NEAR(static_cast<double>(counts.bits[0]), 50'000, 800);
  EXPECT_EQ(counts.bits[1], 0U);
}

TEST(StabilizerSampler, FeedbackCarriesFlipsOn) {
  // Teleportation of |1> from 0 to 2, the corrections by records.
  StabilizerCircuit circuit;
  circuit.gate(StabilizerOp::x, 0);
  circuit.gate(StabilizerOp::h, 1);
  circuit.gate(StabilizerOp::cx, 1, 2);
  circuit.gate(StabilizerOp::cx, 0, 1);
  circuit.gate(StabilizerOp::h, 0);
  const std::uint32_t z = circuit.measure(0), x = circuit.measure(1);
  circuit.feedback(StabilizerOp::x_if, 2, x);
  circuit.feedback(StabilizerOp::z_if, 2, z);
  circuit.measure(2);
  const auto counts = StabilizerSampler::of_measurements(circuit).count(20'000, 6);
  EXPECT_NEAR(static_cast<double>(counts.bits[0]), 10'000, 400);
  EXPECT_NEAR(static_cast<double>(counts.bits[1]), 10'000, 400);
  EXPECT_EQ(counts.bits[2], 20'000U);
}

TEST(StabilizerSampler, SameSeedSameRowsForAnyThreadsAndShots) {
  const auto sampler = StabilizerSampler::of_detectors(repetition_code(5, 6, 0.02));
  Limits one, three;
  one.threads = 1;
  base::set_thread_budget(3);
  three.threads = 3;
  const auto a = sampler.sample(5000, 9, one), b = sampler.sample(5000, 9, three), c = sampler.sample(1500, 9, three);
  base::set_thread_budget(0);
  for (std::uint64_t shot = 0; shot < 5000; ++shot) {
    ASSERT_EQ(word(a, shot, 0), word(b, shot, 0));
    ASSERT_TRUE(shot >= 1500 || word(a, shot, 0) == word(c, shot, 0));
  }
  const auto counts = sampler.count(5000, 9, one);
  std::uint64_t logical = 0, first = 0;
  for (std::uint64_t shot = 0; shot < 5000; ++shot) {
    first += word(a, shot, 0) & 1;
    logical += word(a, shot, a.first_observable_word()) & 1;
  }
  EXPECT_EQ(counts.bits[0], first);
  EXPECT_EQ(counts.observables[0], logical);
  EXPECT_EQ(sampler.sample(0, 9).rows.shape(), Shape({0, 2}));
}

TEST(StabilizerSampler, RefusesSamplesThatDoNotFit) {
  const auto sampler = StabilizerSampler::of_detectors(repetition_code(3, 3, 0.01));
  Limits limits;
  limits.max_memory_bytes = 1000;
  try {
    (void)sampler.sample(1'000'000, 1, limits);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::budget_exceeded);
  }
}

}  // namespace
}  // namespace skerry
