// Runs of every method that are left on their way and go on from there: nothing of the answers tells.
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <cstring>
#include <random>
#include <skerry/checkpoint.hpp>

#include "base/thrown_by.hpp"
#include "sim/method.hpp"
#include "sim/state/random_circuits.hpp"

namespace skerry::sim::leaving {
namespace {

CircuitResult answers_of(std::string_view method, const Circuit& circuit, const RunOptions& options) {
  base::MemoryBudget budget;
  const RunControl control;
  return find_method(method).prepare(circuit, options)->run({}, {budget, control});
}

/// Runs until it is asked for the n-th time, and leaves.
Interrupted leave(std::string_view method, const Circuit& circuit, RunOptions options, int time) {
  double last = 0.0;
  options.limits.leave = [&](const Standing& at) {
    EXPECT_GT(at.done, last);
    EXPECT_GT(at.next, at.done);
    EXPECT_LE(at.next, 1.0 + 1e-12);
    EXPECT_GT(at.state_bytes, 0U);
    last = at.done;
    return time-- == 0;
  };
  try {
    answers_of(method, circuit, options);
  } catch (const Interrupted& left) {
    EXPECT_EQ(left.checkpoint().method, method);
    return left;
  }
  ADD_FAILURE() << "it was not left";
  return {Circuit(1), {}};
}

CircuitResult gone_on(const Interrupted& left, RunOptions options, std::optional<Checkpoint> from = std::nullopt) {
  options.resume = std::make_shared<const Checkpoint>(from.value_or(left.checkpoint()));
  return answers_of(left.checkpoint().method, left.circuit(), options);
}

void expect_equal_answers(const CircuitResult& a, const CircuitResult& b, double allowed) {
  EXPECT_EQ(a.counts, b.counts);
  EXPECT_EQ(a.memory, b.memory);
  ASSERT_EQ(a.expectations.size(), b.expectations.size());
  for (std::size_t i = 0; i < a.expectations.size(); ++i) EXPECT_NEAR(a.expectations[i], b.expectations[i], allowed);
  ASSERT_EQ(a.standard_errors.size(), b.standard_errors.size());
  for (std::size_t i = 0; i < a.standard_errors.size(); ++i)
    EXPECT_NEAR(a.standard_errors[i], b.standard_errors[i], allowed);
  ASSERT_EQ(a.probabilities.has_value(), b.probabilities.has_value());
  for (std::int64_t i = 0; a.probabilities && i < a.probabilities->shape().elements(); ++i)
    ASSERT_NEAR(a.probabilities->as<double>()[static_cast<std::size_t>(i)],
                b.probabilities->as<double>()[static_cast<std::size_t>(i)], allowed);
  EXPECT_EQ(a.outputs, b.outputs);
  EXPECT_NEAR(a.discarded_weight, b.discarded_weight, allowed);
  EXPECT_NEAR(a.error_bound, b.error_bound, allowed);
  EXPECT_EQ(a.bond_dimension, b.bond_dimension);
}

/// Every way to spoil a part: another size, another type, values that cannot be. Each is refused, or does no harm.
void expect_damage_is_refused(const Interrupted& left, const RunOptions& options) {
  const auto code_of = [&](const Checkpoint& bad) {
    return base::thrown_by([&] { gone_on(left, options, bad); }).code();
  };
  const Checkpoint& good = left.checkpoint();
  for (std::size_t part = 0; part < good.parts.size(); ++part) {
    Checkpoint bad = good;
    const Tensor& given = good.parts[part];
    bad.parts[part] = Tensor(given.dtype(), {given.shape().elements() + 1});
    EXPECT_EQ(code_of(bad), ErrorCode::invalid_argument) << part << " longer";
    bad.parts[part] = Tensor(DType::f16, {given.shape().elements()});
    EXPECT_EQ(code_of(bad), ErrorCode::invalid_argument) << part << " of another type";
    bad.parts.resize(part);
    EXPECT_EQ(code_of(bad), ErrorCode::invalid_argument) << part << " missing";
    if (given.shape().elements() == 0) continue;
    bad = good;
    Tensor wild(given.dtype(), given.shape());
    std::memset(wild.mutable_view().data(), 0xff, wild.view().bytes());
    bad.parts[part] = wild;
    EXPECT_EQ(code_of(bad), ErrorCode::invalid_argument) << part << " all ones";
  }
  Checkpoint far = good;
  far.gates += 1'000'000;
  far.shots += 1'000'000;
  EXPECT_EQ(code_of(far), ErrorCode::invalid_argument);
}

Circuit random_clifford(std::uint32_t wires, int gates, std::mt19937& random, bool measures) {
  constexpr std::array kOnes = {Op::h, Op::s, Op::x, Op::sdg, Op::sx};
  Circuit circuit(wires, wires);
  for (int i = 0; i < gates; ++i) {
    if (measures && i % 37 == 36) {
      circuit.measure(static_cast<Wire>(random() % wires), static_cast<std::uint32_t>(random() % wires));
    } else if (measures && i % 41 == 40) {
      circuit.reset(static_cast<Wire>(random() % wires));
    } else if (random() % 2 == 0) {
      circuit.append(kOnes[random() % kOnes.size()], some_wires(wires, 1, random), {});
    } else {
      const auto on = some_wires(wires, 2, random);
      if (random() % 3 == 0)
        circuit.swap(on[0], on[1]);
      else if (random() % 2 == 0)
        circuit.cx(on[0], on[1]);
      else
        circuit.cz(on[0], on[1]);
    }
  }
  return circuit;
}

TEST(LeavingAStabilizerRun, AnywhereGivesTheSameShotsAndValues) {
  std::mt19937 random(1);
  for (const bool measures : {false, true}) {
    for (const std::uint32_t wires : {3U, 64U, 70U}) {
      const Circuit circuit = random_clifford(wires, 1100, random, measures);
      RunOptions options;
      options.shots = 300;
      options.seed = 5;
      options.want_memory = true;
      if (!measures) options.observables = {Observable::parse("Z0 + X1 Y2", wires)};
      const CircuitResult whole = answers_of("stabilizer", circuit, options);
      for (int time = 0; time < 4; ++time) {
        const Interrupted left = leave("stabilizer", circuit, options, time);
        EXPECT_EQ(left.checkpoint().gates, 256U * static_cast<unsigned>(time + 1));
        expect_equal_answers(gone_on(left, options), whole, 0.0);
      }
      expect_damage_is_refused(leave("stabilizer", circuit, options, 1), options);
    }
  }
}

TEST(LeavingAStabilizerRun, OneThatBranchesIsLeftBeforeItsFirstOutcome) {
  std::mt19937 random(2);
  Circuit circuit = random_clifford(9, 3000, random, false);
  circuit.measure(0, 0).measure(1, 1);
  for (int i = 0; i < 3000; ++i) circuit.cx(static_cast<Wire>(i % 8), 8);
  circuit.measure(3, 2);
  RunOptions options;
  options.shots = 100;
  options.seed = 8;
  options.observables = {Observable::parse("Z0 Z3 + X4", 9)};  // asked for midway: trajectories
  const CircuitResult whole = answers_of("stabilizer", circuit, options);
  for (int time = 0; time < 2; ++time) {
    const Interrupted left = leave("stabilizer", circuit, options, time);
    EXPECT_EQ(left.checkpoint().gates, 1024U * static_cast<unsigned>(time + 1));
    expect_equal_answers(gone_on(left, options), whole, 1e-12);
  }
  expect_damage_is_refused(leave("stabilizer", circuit, options, 1), options);
  int asked = 0;
  RunOptions all = options;
  all.limits.leave = [&](const Standing&) {
    ++asked;
    return false;
  };
  expect_equal_answers(answers_of("stabilizer", circuit, all), whole, 1e-12);
  EXPECT_EQ(asked, 2);
}

TEST(LeavingAStabilizerRun, ARowOfAnotherStateIsFound) {
  std::mt19937 random(3);
  const Circuit circuit = random_clifford(70, 600, random, false);
  RunOptions options;
  options.shots = 10;
  const Interrupted left = leave("stabilizer", circuit, options, 0);
  const auto words = left.checkpoint().parts[0].as<std::uint64_t>();
  for (const std::size_t word : {std::size_t{0}, std::size_t{5}, words.size() - 1}) {
    std::vector<std::uint64_t> other(words.begin(), words.end());
    other[word] ^= 1;
    Checkpoint bad = left.checkpoint();
    bad.parts[0] = Tensor::from<std::uint64_t>(other, bad.parts[0].shape());
    const Error error = base::thrown_by([&] { gone_on(left, options, bad); });
    EXPECT_EQ(error.code(), ErrorCode::invalid_argument) << word;
    EXPECT_EQ(error.where(), "checkpoint");
  }
}

/// Gates of one layer on neighbours, so that bonds grow.
Circuit brickwork(std::uint32_t wires, int layers, std::mt19937& random, double strength = 1.0) {
  std::uniform_real_distribution<double> angle(-2, 2);
  Circuit circuit(wires, wires);
  for (int layer = 0; layer < layers; ++layer) {
    for (Wire wire = 0; wire < wires; ++wire) circuit.u(angle(random), angle(random), angle(random), wire);
    for (Wire wire = layer % 2; wire + 1 < wires; wire += 2) circuit.rxx(strength * angle(random), wire, wire + 1);
    circuit.cx(static_cast<Wire>(layer) % wires, (static_cast<Wire>(layer) + wires / 2) % wires);
  }
  return circuit;
}

TEST(LeavingAChain, AnywhereGivesTheSameShotsAndValuesAndTheSameError) {
  std::mt19937 random(4);
  const Circuit circuit = brickwork(12, 10, random);
  for (const std::uint32_t bond : {0U, 20U}) {
    RunOptions options;
    options.max_bond_dimension = bond;
    options.shots = 200;
    options.seed = 3;
    options.observables = {random_strings(12, 3, random)};
    const CircuitResult whole = answers_of("mps", circuit, options);
    EXPECT_EQ(whole.discarded_weight > 0.0, bond != 0);
    for (const int time : {0, 1, 5}) {
      const Interrupted left = leave("mps", circuit, options, time);
      EXPECT_GT(left.checkpoint().gates, 0U);
      expect_equal_answers(gone_on(left, options), whole, 0.0);
    }
    expect_damage_is_refused(leave("mps", circuit, options, 2), options);
  }
}

TEST(LeavingAChain, OneThatBranchesIsLeftBeforeItsFirstOutcome) {
  std::mt19937 random(5);
  Circuit circuit = brickwork(12, 10, random);
  circuit.measure(0, 0).reset(1);
  for (Wire wire = 0; wire + 1 < 12; ++wire) circuit.rxx(0.3, wire, wire + 1);
  for (Wire wire = 0; wire < 12; ++wire) circuit.measure(wire, wire);
  RunOptions options;
  options.shots = 40;
  options.seed = 8;
  const CircuitResult whole = answers_of("mps", circuit, options);
  for (const int time : {0, 3})
    expect_equal_answers(gone_on(leave("mps", circuit, options, time), options), whole, 0.0);
}

TEST(LeavingAChain, WhatIsNoChainInCanonicalFormIsRefused) {
  std::mt19937 random(6);
  const Circuit circuit = brickwork(12, 10, random);
  RunOptions options;
  options.observables = {Observable::parse("Z0", 12)};
  const Interrupted left = leave("mps", circuit, options, 2);
  const auto entries = left.checkpoint().parts[0].as<std::complex<double>>();
  for (const std::size_t at : {std::size_t{0}, entries.size() / 2, entries.size() - 1}) {
    std::vector<std::complex<double>> other(entries.begin(), entries.end());
    other[at] += 0.01;
    Checkpoint bad = left.checkpoint();
    bad.parts[0] = Tensor::from<std::complex<double>>(other, bad.parts[0].shape());
    EXPECT_EQ(base::thrown_by([&] { gone_on(left, options, bad); }).code(), ErrorCode::invalid_argument) << at;
  }
  for (const std::uint32_t bond : {0U, 1U, 0xffffffffU}) {
    Checkpoint bad = left.checkpoint();
    const auto bonds = bad.parts[2].as<std::uint32_t>();
    std::vector<std::uint32_t> other(bonds.begin(), bonds.end());
    other[6] = bond;
    bad.parts[2] = Tensor::from<std::uint32_t>(other, bad.parts[2].shape());
    EXPECT_EQ(base::thrown_by([&] { gone_on(left, options, bad); }).code(), ErrorCode::invalid_argument) << bond;
  }
}

Circuit noisy(std::uint32_t wires, int layers, std::mt19937& random) {
  Circuit circuit(wires, wires);
  std::uniform_real_distribution<double> angle(-2, 2);
  for (int layer = 0; layer < layers; ++layer) {
    for (Wire wire = 0; wire < wires; ++wire) circuit.u(angle(random), angle(random), angle(random), wire);
    for (Wire wire = 0; wire + 1 < wires; ++wire) circuit.cx(wire, wire + 1);
    const std::array<Wire, 2> on = {static_cast<Wire>(layer) % wires, static_cast<Wire>(layer + 1) % wires};
    circuit.channel(Channel::amplitude_damping(0.02), std::span(on).first(1));
    circuit.channel(Channel::depolarizing(0.01, 1), std::span(on).subspan(1));
  }
  return circuit;
}

TEST(LeavingADensityMatrix, AnywhereBeforeTheFirstOutcomeGivesWhatOneRunGives) {
  std::mt19937 random(7);
  for (const Precision precision : {Precision::double_precision, Precision::single_precision}) {
    for (const bool midway : {false, true}) {
      Circuit circuit = noisy(4, 30, random);
      circuit.reset(2);
      if (midway) circuit.measure(0, 3);
      for (int i = 0; i < 80; ++i) circuit.ry(0.1 * i, static_cast<Wire>(i % 4));
      for (Wire wire = 0; wire < 3; ++wire) circuit.measure(wire, wire);
      RunOptions options;
      options.precision = precision;
      options.shots = 200;
      options.seed = 5;
      options.observables = {random_strings(4, 3, random)};
      options.want_probabilities = true;
      const CircuitResult whole = answers_of("density", circuit, options);
      const double allowed = precision == Precision::double_precision ? 1e-12 : 1e-4;
      for (int time = 0; time < 3; ++time) {
        const Interrupted left = leave("density", circuit, options, time);
        EXPECT_EQ(left.checkpoint().gates, 64U * static_cast<unsigned>(time + 1));
        expect_equal_answers(gone_on(left, options), whole, allowed);
      }
      expect_damage_is_refused(leave("density", circuit, options, 1), options);
    }
  }
}

TEST(LeavingTrajectories, BetweenBatchesGivesTheSameShotsBitForBit) {
  std::mt19937 random(8);
  for (const Precision precision : {Precision::double_precision, Precision::single_precision}) {
    for (const bool midway : {false, true}) {
      Circuit circuit = noisy(4, 6, random);
      if (midway) circuit.measure(0, 3);
      circuit.ry(0.3, 0);
      for (Wire wire = 0; wire < 3; ++wire) circuit.measure(wire, wire);
      RunOptions options;
      options.precision = precision;
      options.shots = 1000;
      options.seed = 5;
      options.want_memory = true;
      options.observables = {random_strings(4, 3, random)};
      options.want_probabilities = true;
      const CircuitResult whole = answers_of("trajectories", circuit, options);
      for (const int time : {0, 7, 20}) {
        const Interrupted left = leave("trajectories", circuit, options, time);
        EXPECT_GT(left.checkpoint().shots, 0U);
        EXPECT_LT(left.checkpoint().shots, 1000U);
        EXPECT_NE(std::string(left.what()).find("trajectories"), std::string::npos) << left.what();
        expect_equal_answers(gone_on(left, options), whole, 0.0);
      }
      const Interrupted left = leave("trajectories", circuit, options, 3);
      expect_damage_is_refused(left, options);
      RunOptions other = options;
      other.seed = 6;
      EXPECT_EQ(base::thrown_by([&] { gone_on(left, other); }).code(), ErrorCode::invalid_argument);
      other = options;
      other.precision =
          precision == Precision::double_precision ? Precision::single_precision : Precision::double_precision;
      EXPECT_EQ(base::thrown_by([&] { gone_on(left, other); }).code(), ErrorCode::invalid_argument);
    }
  }
}

}  // namespace
}  // namespace skerry::sim::leaving
