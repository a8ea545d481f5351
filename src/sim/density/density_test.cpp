#include <gtest/gtest.h>

#include <cmath>
#include <skerry/error.hpp>

#include "base/memory.hpp"
#include "base/random.hpp"
#include "base/threads.hpp"
#include "ir/testing/random_circuit.hpp"
#include "sim/density/density_run.hpp"
#include "sim/method.hpp"
#include "sim/noise/dense_noise.hpp"

namespace skerry::sim {
namespace {

CircuitResult run(const Circuit& circuit, RunOptions options, const NoiseModel& noise,
                  std::vector<double> parameters = {}) {
  options.noise = std::make_shared<NoiseModel>(noise);
  base::MemoryBudget budget;
  CircuitResult result = find_method("density").prepare(circuit, options)->run(parameters, {budget, {}});
  const auto estimate = find_method("density").estimate(circuit, options);
  EXPECT_LE(budget.peak(), estimate->peak_bytes);
  return result;
}

/// A circuit on which nothing is symmetric: every wire turned, all of them entangled.
Circuit scrambled(std::uint32_t wires, std::uint64_t seed) {
  base::Philox random(seed);
  const auto angle = [&] { return 6.0 * random.uniform(); };
  Circuit circuit(wires);
  for (int layer = 0; layer < 2; ++layer) {
    for (Wire w = 0; w < wires; ++w) circuit.u(angle(), angle(), angle(), w);
    for (Wire w = 0; w + 1 < wires; ++w) circuit.cx(w, w + 1);
  }
  return circuit;
}

void expect_density(const CircuitResult& result, const Dense& want, double tolerance) {
  const auto got = result.density->as<std::complex<double>>();
  ASSERT_EQ(got.size(), want.size());
  for (std::size_t i = 0; i < want.size(); ++i) ASSERT_NEAR(std::abs(got[i] - want[i]), 0.0, tolerance) << i;
}

TEST(Density, EveryChannelAtEveryWireIsItsKrausSum) {
  for (const Channel& channel : sample_channels()) {
    for (Wire a = 0; a < 3; ++a) {
      for (Wire b = 0; b < 3; ++b) {
        if (channel.wires() == 1 ? b != 0 : a == b) continue;
        const std::vector<Wire> wires = channel.wires() == 1 ? std::vector{a} : std::vector{a, b};
        Circuit circuit = scrambled(3, 5);
        const Dense pure = run_noisy(circuit, {});
        if (channel.wires() == 1)
          circuit.sdg(a);
        else
          circuit.iswap(a, b);
        NoiseModel noise;
        noise.add(channel.wires() == 1 ? "sdg" : "iswap", channel, wires);
        const Dense after = gated(pure, circuit, circuit.body()[circuit.body().size() - 1]);
        SCOPED_TRACE(channel.text() + " at " + std::to_string(a) + " " + std::to_string(b));
        const Dense want = noisy(after, channel, wires, 3);
        expect_density(run(circuit, {.want_density = true}, noise), want, 1e-13);
        expect_density(run(circuit, {.precision = Precision::single_precision, .want_density = true}, noise), want,
                       2e-6);
      }
    }
  }
}

TEST(Density, RandomCircuitsWithNoiseAfterEveryGateAreTheDenseSum) {
  const std::vector<Channel> after = {Channel::thermal_relaxation(50, 60, 3), Channel::depolarizing(0.05, 2),
                                      Channel::uniform_pauli(0.02, 3)};
  NoiseModel noise;
  for (const Channel& channel : after) noise.add("*", channel);
  for (std::uint64_t seed = 0; seed < 8; ++seed) {
    base::Philox random(seed);
    Circuit circuit(4);
    for (int gate = 0; gate < 25; ++gate) {
      const auto a = static_cast<Wire>(random() % 4), b = (a + 1 + static_cast<Wire>(random() % 3)) % 4;
      const Wire c = a != 0 && b != 0 ? 0 : (a != 1 && b != 1 ? 1 : 2);
      switch (random() % 7) {
        case 0:
          circuit.h(a);
          break;
        case 1:
          circuit.rx(random.uniform(), a);
          break;
        case 2:
          circuit.cx(a, b);
          break;
        case 3:
          circuit.rzz(random.uniform(), a, b);
          break;
        case 4:
          circuit.xx_plus_yy(0.3, random.uniform(), a, b);
          break;
        case 5:
          circuit.ccx(a, b, c);
          break;
        case 6:
          circuit.append(Op::swap, {a, b, c}, {}, 1);
          break;
      }
    }
    SCOPED_TRACE(seed);
    expect_density(run(circuit, {.want_density = true}, noise), run_noisy(circuit, after), 1e-12);
  }
}

TEST(Density, ExpectationsProbabilitiesAndReducedMatricesAreThoseOfTheDenseMatrix) {
  const Circuit circuit = scrambled(4, 9);
  const std::vector<Channel> after = {Channel::amplitude_damping(0.1)};
  NoiseModel noise;
  noise.add("*", after[0]);
  const Dense rho = run_noisy(circuit, after);
  RunOptions options{.want_density = true, .density_wires = {2, 0}};
  options.observables = {Observable::parse("0.5*X0 Y2 - 1.5*Z1 Z3 + 0.25*Y3 + 2", 4)};
  options.want_probabilities = true;
  options.probability_wires = {3, 1};
  const CircuitResult result = run(circuit, options, noise);
  std::vector<double> probabilities(4);
  Dense reduced(16);
  const auto pick = [](std::size_t i) { return (i >> 2 & 1) | (i & 1) << 1; };
  for (std::size_t i = 0; i < 16; ++i) {
    probabilities[(i >> 3 & 1) | (i >> 1 & 1) << 1] += rho[i * 17].real();
    for (std::size_t j = 0; j < 16; ++j)
      if (((i ^ j) & 10) == 0) reduced[pick(i) * 4 + pick(j)] += rho[i * 16 + j];
  }
  for (std::size_t i = 0; i < 4; ++i) EXPECT_NEAR(result.probabilities->as<double>()[i], probabilities[i], 1e-13);
  expect_density(result, reduced, 1e-13);
  const auto string = [&](const char* letters) {
    const std::pair<std::string, double> term = {letters, 1.0};
    const Matrix p = Channel::pauli(std::span(&term, 1)).operators()[0];
    std::complex<double> trace = 0;
    for (std::size_t i = 0; i < 16; ++i)
      for (std::size_t j = 0; j < 16; ++j) trace += p.values[i * 16 + j] * rho[j * 16 + i];
    return trace.real();
  };
  EXPECT_NEAR(result.expectations[0], 0.5 * string("IYIX") - 1.5 * string("ZIZI") + 0.25 * string("YIII") + 2, 1e-12);
}

TEST(Density, ThermalRelaxationFollowsItsClosedForm) {
  for (const double time : {0.0, 3.0, 40.0, 1e6}) {
    for (const double t2 : {20.0, 50.0, 100.0}) {
      Circuit circuit(1);
      circuit.ry(1.1, 0);
      NoiseModel noise;
      noise.add("ry", Channel::thermal_relaxation(50, t2, time, 0.2));
      const CircuitResult result = run(circuit, {.want_density = true}, noise);
      const auto got = result.density->as<std::complex<double>>();
      const double one = std::pow(std::sin(0.55), 2), off = std::sin(0.55) * std::cos(0.55);
      EXPECT_NEAR(got[3].real(), 0.2 + (one - 0.2) * std::exp(-time / 50), 1e-12);
      EXPECT_NEAR(got[1].real(), off * std::exp(-time / t2), 1e-12);
    }
  }
}

TEST(Density, ReadoutErrorsTurnProbabilitiesAndCounts) {
  Circuit circuit(2, 2);
  circuit.x(0).measure(0, 0).measure(1, 1);
  NoiseModel noise;
  noise.add_readout({0.9, 0.1, 0.3, 0.7}).add_readout({0.8, 0.2, 0.5, 0.5}, {1});
  RunOptions options{.shots = 40000, .seed = 3};
  options.want_probabilities = true;
  const CircuitResult result = run(circuit, options, noise);
  const double want[] = {0.3 * 0.8, 0.7 * 0.8, 0.3 * 0.2, 0.7 * 0.2};
  const char* names[] = {"00", "01", "10", "11"};
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_NEAR(result.probabilities->as<double>()[i], want[i], 1e-12);
    const double sigma = std::sqrt(40000 * want[i] * (1 - want[i]));
    EXPECT_NEAR(static_cast<double>(result.counts[names[i]]), 40000 * want[i], 5 * sigma);
  }
}

TEST(Density, AWireThatIsReadTwiceIsReadWithItsOwnErrors) {
  Circuit circuit(1, 2);
  circuit.h(0).measure(0, 0).measure(0, 1);
  NoiseModel noise;
  noise.add_readout({0.9, 0.1, 0.2, 0.8});
  const CircuitResult result = run(circuit, {.shots = 100000}, noise);
  EXPECT_NEAR(static_cast<double>(result.counts["00"]) / 100000, (0.81 + 0.04) / 2, 0.01);
  EXPECT_NEAR(static_cast<double>(result.counts["01"]) / 100000, (0.09 + 0.16) / 2, 0.01);
}

TEST(Density, MeasurementsMidwayPartAndResetsDoNot) {
  // A coin decides whether wire 1 is flipped; readout errors make the decision wrong one time in ten.
  Circuit circuit(2, 2);
  circuit.h(0).measure(0, 0);
  const ExprId coin = circuit.expressions().leaf(ExprOp::bit, 0, {ScalarKind::boolean, 1});
  const BlockId then = circuit.open_block();
  circuit.x(1);
  circuit.close_block();
  circuit.if_else(coin, then).reset(0).measure(0, 0).measure(1, 1);
  NoiseModel noise;
  noise.add("x", Channel::amplitude_damping(0.4));
  noise.add_readout({0.9, 0.1, 0.0, 1.0}, {0});
  RunOptions options{.shots = 50000, .seed = 11};
  options.want_probabilities = true;
  options.observables = {Observable::parse("Z1", 2)};
  const CircuitResult result = run(circuit, options, noise);
  const double flipped = 0.5 * 1.0 + 0.5 * 0.1, one = 0.6 * flipped;
  const double want[] = {(1 - one) * 0.9, (1 - one) * 0.1, one * 0.9, one * 0.1};
  for (std::size_t i = 0; i < 4; ++i) EXPECT_NEAR(result.probabilities->as<double>()[i], want[i], 1e-12);
  EXPECT_NEAR(result.expectations[0], 1 - 2 * one, 1e-12);
  EXPECT_NEAR(static_cast<double>(result.counts["10"]), 50000 * want[2], 5 * std::sqrt(50000 * want[2]));
}

TEST(Density, GivesTheSameBitsForAnyNumberOfThreads) {
  const Circuit circuit = scrambled(8, 4);
  NoiseModel noise;
  noise.add("*", Channel::depolarizing(0.1)).add("*", Channel::depolarizing(0.1, 2));
  RunOptions options{.shots = 1000, .seed = 5};
  options.observables = {Observable::parse("X0 Z7", 8)};
  std::vector<CircuitResult> results;
  for (const int threads : {1, 2, 3}) {
    const base::ThreadLimit limit(threads);
    results.push_back(run(circuit, options, noise));
  }
  EXPECT_EQ(results[0].counts, results[1].counts);
  EXPECT_EQ(results[0].counts, results[2].counts);
  EXPECT_EQ(results[0].expectations, results[2].expectations);
}

TEST(Density, StartsFromAnyPureState) {
  Circuit made = scrambled(3, 21);
  const Dense psi = run_dense(made);
  Circuit circuit(3);
  circuit.h(1).cx(1, 2);
  RunOptions options{.want_density = true};
  options.initial_state = Tensor::from<std::complex<double>>(psi, {8});
  Dense rho(64);
  for (std::size_t i = 0; i < 8; ++i)
    for (std::size_t j = 0; j < 8; ++j) rho[i * 8 + j] = psi[i] * std::conj(psi[j]);
  for (std::size_t i = 0; i < 2; ++i) rho = gated(rho, circuit, circuit.body()[i]);
  expect_density(run(circuit, options, {}), rho, 1e-13);
}

TEST(Density, RulesOfWiresBeatRulesOfGatesBeatRulesOfAll) {
  Circuit circuit(3);
  circuit.x(0).x(1).y(2);
  NoiseModel noise;
  noise.add("*", Channel::bit_flip(0.1)).add("x", Channel::bit_flip(0.2)).add("x", Channel::bit_flip(0.3), {1});
  RunOptions options;
  options.observables = {Observable::parse("Z0", 3), Observable::parse("Z1", 3), Observable::parse("Z2", 3)};
  const CircuitResult result = run(circuit, options, noise);
  EXPECT_NEAR(result.expectations[0], -1 + 2 * 0.2, 1e-13);
  EXPECT_NEAR(result.expectations[1], -1 + 2 * 0.3, 1e-13);
  EXPECT_NEAR(result.expectations[2], -1 + 2 * 0.1, 1e-13);
}

TEST(Density, NoiseOfMeasurementsResetsAndDelaysIsHonoured) {
  Circuit circuit(3, 1);
  circuit.append(Op::delay, {0}, {1e-6}).reset(1).measure(2, 0);
  NoiseModel noise;
  noise.add("delay", Channel::bit_flip(0.1))
      .add("reset", Channel::bit_flip(0.2))
      .add("measure", Channel::bit_flip(0.3));
  RunOptions options;
  options.observables = {Observable::parse("Z0", 3), Observable::parse("Z1", 3), Observable::parse("Z2", 3)};
  const CircuitResult result = run(circuit, options, noise);
  EXPECT_NEAR(result.expectations[0], 0.8, 1e-13);
  EXPECT_NEAR(result.expectations[1], 0.6, 1e-13);
  EXPECT_NEAR(result.expectations[2], 0.4, 1e-13);
}

TEST(Density, SaysWhyNot) {
  const auto reason = [](const Circuit& circuit, const RunOptions& options) {
    const auto estimate = find_method("density").estimate(circuit, options);
    return estimate ? std::string() : estimate.error();
  };
  Circuit wide(5);
  wide.append(Op::x, {0, 1, 2, 3, 4}, {}, 4);
  EXPECT_NE(reason(wide, {}).find("acts on 5 wires"), std::string::npos);
  Circuit midway(1, 12);
  for (std::uint32_t bit = 0; bit < 12; ++bit) midway.h(0).measure(0, bit);
  EXPECT_NE(reason(midway, {}).find("midway"), std::string::npos);
  Circuit big(25);
  for (Wire w = 0; w < 25; ++w) big.h(w);
  EXPECT_NE(reason(big, {}).find("25 wires"), std::string::npos);
}

/// Channels as instructions, at every wire of a scrambled state, against the sum over Kraus operators.
TEST(Density, ChannelsInTheCircuitAreTheirKrausSums) {
  for (const Channel& channel : sample_channels()) {
    const std::vector<Wire> wires = channel.wires() == 1 ? std::vector<Wire>{1} : std::vector<Wire>{2, 0};
    Circuit circuit = scrambled(3, 6);
    Dense rho = noisy(run_noisy(circuit, {}), channel, wires, 3);
    circuit.channel(channel, wires).h(1);
    rho = gated(rho, circuit, circuit.body()[circuit.body().size() - 1]);
    // A noise model adds to what the circuit says itself.
    NoiseModel more;
    more.add("h", Channel::depolarizing(0.3), {1});
    const Wire one = 1;
    const Dense with_more = noisy(rho, Channel::depolarizing(0.3), std::span(&one, 1), 3);
    RunOptions options;
    options.want_density = true;
    SCOPED_TRACE(channel.text());
    expect_density(run(circuit, options, {}), rho, 1e-12);
    expect_density(run(circuit, options, more), with_more, 1e-12);
  }
}

TEST(Density, MethodsWithoutNoiseRefuseAChannelInsteadOfLeavingItOut) {
  Circuit circuit(1, 1);
  const Wire wire = 0;
  circuit.h(0).channel(Channel::bit_flip(0.1), std::span(&wire, 1)).measure(0, 0);
  RunOptions options;
  options.shots = 10;
  for (const char* name : {"statevector", "stabilizer", "mps", "tensor_network"}) {
    SCOPED_TRACE(name);
    bool is_refused = false;
    try {
      is_refused = !find_method(name).estimate(circuit, options).has_value();
    } catch (const Error& error) {
      is_refused = error.code() == ErrorCode::unsupported;
    }
    EXPECT_TRUE(is_refused);
  }
}

}  // namespace
}  // namespace skerry::sim
