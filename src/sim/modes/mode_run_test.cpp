// Circuits over modes by both methods, against each other and closed forms.
#include "sim/modes/mode_run.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>
#include <random>
#include <skerry/error.hpp>

#include "base/threads.hpp"

namespace skerry::sim {
namespace {

CircuitResult run(std::string_view method, const Circuit& circuit, const RunOptions& options = {}) {
  base::MemoryBudget budget;
  const RunControl control;
  const auto estimate = find_method(method).estimate(circuit, options);
  if (!estimate) throw Error(ErrorCode::unsupported, estimate.error());
  auto result = estimate->prepare()->run(options.parameters, {budget, control});
  EXPECT_EQ(budget.peak(), estimate->peak_bytes);
  return result;
}

std::vector<double> numbers(const CircuitResult& result, std::string_view name) {
  for (const auto& [key, tensor] : result.tensors)
    if (key == name) return {tensor.as<double>().begin(), tensor.as<double>().end()};
  ADD_FAILURE() << "no " << name;
  return std::vector<double>(16);
}

constexpr const char* kAnswers[] = {"x", "p", "n", "variance_x", "variance_p", "variance_n"};

Circuit random_gaussian(std::uint64_t seed, bool with_channels) {
  std::mt19937_64 random(seed);
  std::uniform_real_distribution<double> angle(0, 6.28), small(-0.25, 0.25);
  Circuit c(2);
  for (int layer = 0; layer < 2; ++layer) {
    for (const Wire mode : {0U, 1U}) {
      c.append(Op::displacement, {mode}, {small(random), angle(random)});
      c.append(Op::squeezing, {mode}, {small(random), angle(random)});
      c.append(Op::rotation, {mode}, {angle(random)});
    }
    c.append(Op::beam_splitter, {0, 1}, {angle(random), angle(random)});
    c.append(Op::two_mode_squeezing, {1, 0}, {small(random), angle(random)});
    if (with_channels) c.append(Op::loss, {0}, {0.9}).append(Op::amplifier, {1}, {1.05});
  }
  return c;
}

TEST(Modes, MethodsAgreeOnGaussianCircuits) {
  for (std::uint64_t seed = 0; seed < 4; ++seed) {
    const bool with_channels = seed % 2 == 1;
    const Circuit c = random_gaussian(seed, with_channels);
    RunOptions options;
    options.cutoff = with_channels ? 14 : 24;
    options.want_probabilities = true;
    const CircuitResult fock = run("fock", c, options);
    options.cutoff = 5;  // the sums behind a probability double with every two photons
    const CircuitResult gaussian = run("gaussian", c, options);
    EXPECT_LT(fock.discarded_weight, 1e-5);
    for (const char* name : kAnswers) {
      const auto a = numbers(fock, name), b = numbers(gaussian, name);
      for (std::size_t k = 0; k < 2; ++k) EXPECT_NEAR(a[k], b[k], with_channels ? 3e-3 : 3e-5) << name << seed;
    }
    for (std::size_t i = 0; i < 5; ++i)
      EXPECT_NEAR(fock.probabilities->as<double>()[i], gaussian.probabilities->as<double>()[i], 1e-5);
  }
}

TEST(Modes, NumberVariancesAreTheClosedForms) {
  Circuit c(3);
  c.append(Op::displacement, {0}, {0.7, 0.4}).append(Op::squeezing, {1}, {0.5, 0.3});
  c.append(Op::prepare_thermal, {2}, {0.6});
  const auto found = numbers(run("gaussian", c), "variance_n");
  EXPECT_NEAR(found[0], 0.49, 1e-12);
  EXPECT_NEAR(found[1], 2 * std::pow(std::sinh(0.5) * std::cosh(0.5), 2), 1e-12);
  EXPECT_NEAR(found[2], 0.6 * 1.6, 1e-12);
}

TEST(Modes, PhotonSamplesFollowTheProbabilities) {
  Circuit c = random_gaussian(7, false);
  for (const Wire mode : {0U, 1U}) {
    c.add_variable({"n" + std::to_string(mode), {}, true});
    c.append(Op::measure_photons, std::span(&mode, 1), {}, 0, mode);
  }
  for (const char* method : {"fock", "gaussian"}) {
    RunOptions options;
    options.shots = 4000;
    options.seed = 5;
    options.cutoff = 7;
    options.want_probabilities = true;
    const CircuitResult result = run(method, c, options);
    const auto samples = numbers(result, "samples");
    ASSERT_EQ(samples.size(), 8000U);
    std::vector<double> counts(49);
    for (std::size_t shot = 0; shot < 4000; ++shot)
      counts[static_cast<std::size_t>(samples[2 * shot] * 7 + samples[2 * shot + 1])] += 1;
    for (std::size_t i = 0; i < 49; ++i) {
      const double p = result.probabilities->as<double>()[i];
      EXPECT_NEAR(counts[i], 4000 * p, 5 * std::sqrt(4000 * p) + 2) << method << i;
    }
    EXPECT_EQ(result.outputs.at("n1"), samples.back());
  }
}

/// A coherent state carried over by a squeezed pair, two measurements and two displacements.
Circuit teleportation(std::complex<double> alpha, double r) {
  Circuit c(3);
  for (const char* name : {"x", "p", "out"}) c.add_variable({name, {}, true});
  const auto outcome = [&c](std::uint32_t variable) {
    ExprPool& pool = c.expressions();
    const ExprId half = pool.constant(std::numbers::sqrt2 / 2);
    return Param{0.0, pool.binary(ExprOp::mul, half, pool.leaf(ExprOp::variable, variable, {}))};
  };
  const Wire modes[] = {0, 1, 2};
  const double turn = std::numbers::pi / 4, quarter = std::numbers::pi / 2;
  c.append(Op::displacement, {0}, {std::abs(alpha), std::arg(alpha)});
  c.append(Op::squeezing, {1}, {-r, 0.0}).append(Op::squeezing, {2}, {r, 0.0});
  c.append(Op::beam_splitter, {1, 2}, {turn, 0.0}).append(Op::beam_splitter, {0, 1}, {turn, 0.0});
  const Param x[] = {{0.0}}, p[] = {{quarter}};
  c.append(Op::measure_homodyne, std::span(modes, 1), x, 0, 0);
  c.append(Op::measure_homodyne, std::span(modes + 1, 1), p, 0, 1);
  c.append(Op::displacement, {2}, {outcome(0), 0.0}).append(Op::displacement, {2}, {outcome(1), quarter});
  c.append(Op::measure_homodyne, std::span(modes + 2, 1), x, 0, 2);
  return c;
}

TEST(Modes, TeleportationCarriesTheStateOver) {
  const Circuit c = teleportation({0.6, -0.4}, 1.5);
  RunOptions options;
  options.shots = 4000;
  options.seed = 3;
  const auto samples = numbers(run("gaussian", c, options), "samples");
  double sum = 0, squares = 0;
  for (std::size_t shot = 0; shot < 4000; ++shot) {
    sum += samples[3 * shot + 2];
    squares += samples[3 * shot + 2] * samples[3 * shot + 2];
  }
  const double mean = sum / 4000, variance = squares / 4000 - mean * mean;
  const double wanted = 1 + 2 * std::exp(-3.0);  // the vacuum's and twice the squeezed noise
  EXPECT_NEAR(mean, 1.2, 5 * std::sqrt(wanted / 4000));
  EXPECT_NEAR(variance, wanted, 5 * wanted * std::sqrt(2.0 / 4000));
}

TEST(Modes, SamplesDoNotDependOnThreads) {
  const Circuit c = teleportation({0.3, 0.1}, 0.3);
  for (const char* method : {"fock", "gaussian"}) {
    RunOptions options;
    options.shots = 12;
    options.seed = 9;
    options.cutoff = 6;
    std::vector<double> one;
    {
      const base::ThreadLimit limit(1);
      one = numbers(run(method, c, options), "samples");
    }
    EXPECT_EQ(one, numbers(run(method, c, options), "samples")) << method;
  }
}

TEST(Modes, HeraldingLeavesOnePhoton) {
  Circuit c(2);
  c.append(Op::two_mode_squeezing, {0, 1}, {0.4, 0.0}).append(Op::select_photons, {1}, {1.0});
  RunOptions options;
  options.cutoff = 12;
  options.want_state = true;
  const CircuitResult result = run("fock", c, options);
  EXPECT_NEAR(numbers(result, "n")[0], 1.0, 1e-12);
  EXPECT_NEAR(numbers(result, "variance_n")[0], 0.0, 1e-12);
  const double tanh = std::tanh(0.4);
  EXPECT_NEAR(result.outputs.at("selection_probability"), tanh * tanh / std::pow(std::cosh(0.4), 2), 1e-9);
}

TEST(Modes, SelectedQuadraturesConditionBothMethodsAlike) {
  Circuit c = random_gaussian(2, false);
  c.append(Op::select_homodyne, {0}, {0.3, 0.5});
  RunOptions options;
  options.cutoff = 24;
  const CircuitResult fock = run("fock", c, options), gaussian = run("gaussian", c, options);
  EXPECT_NEAR(fock.outputs.at("selection_probability"), gaussian.outputs.at("selection_probability"), 1e-5);
  for (const char* name : kAnswers) EXPECT_NEAR(numbers(fock, name)[1], numbers(gaussian, name)[1], 1e-4) << name;
}

TEST(Modes, HeterodyneOutcomesHaveTheStatesMoments) {
  Circuit c(2);
  c.add_variable({"re", {}, true});
  c.add_variable({"im", {}, true});
  c.append(Op::displacement, {0}, {0.5, 0.0}).append(Op::squeezing, {0}, {0.3, 0.0});
  c.append(Op::beam_splitter, {0, 1}, {0.4, 0.0});
  const Wire mode = 0;
  c.append(Op::measure_heterodyne, std::span(&mode, 1), {}, 0, 0);
  for (const auto& [method, shots] : {std::pair("gaussian", 8000U), std::pair("fock", 400U)}) {
    RunOptions options;
    options.shots = shots;
    options.cutoff = 10;
    const CircuitResult result = run(method, c, options);
    const auto samples = numbers(result, "samples");
    double re = 0, square = 0;
    for (std::size_t i = 0; i < shots; ++i) {
      re += samples[2 * i];
      square += samples[2 * i] * samples[2 * i];
    }
    const double mean = re / shots, variance = square / shots - mean * mean;
    const double wanted = (numbers(result, "variance_x")[0] + 1) / 4;
    EXPECT_NEAR(mean, numbers(result, "x")[0] / 2, 5 * std::sqrt(wanted / shots)) << method;
    EXPECT_NEAR(variance, wanted, 5 * wanted * std::sqrt(2.0 / shots)) << method;
  }
}

TEST(Modes, PreparingAJoinedModeTracesItOut) {
  Circuit c(2);
  c.append(Op::two_mode_squeezing, {0, 1}, {0.5, 0.2}).append(Op::prepare_vacuum, {1});
  RunOptions options;
  options.cutoff = 14;
  const CircuitResult fock = run("fock", c, options), gaussian = run("gaussian", c, options);
  for (const char* name : kAnswers)
    for (const std::size_t k : {0U, 1U}) EXPECT_NEAR(numbers(fock, name)[k], numbers(gaussian, name)[k], 1e-4);
  // Before anything joined it, a mode may be prepared without a density matrix.
  Circuit pure(2);
  pure.append(Op::displacement, {0}, {0.5, 0.0}).append(Op::prepare_fock, {0}, {2.0});
  options.want_state = true;
  const CircuitResult ket = run("fock", pure, options);
  EXPECT_FALSE(ket.density.has_value());
  EXPECT_NEAR(numbers(ket, "n")[0], 2.0, 1e-9);
}

TEST(Modes, WhatAMethodCannotDoIsSaid) {
  Circuit kerr(1);
  kerr.append(Op::kerr, {0}, {0.1});
  EXPECT_EQ(find_method("gaussian").estimate(kerr, {}).error(), "gate 0 (kerr) leaves the Gaussian states");
  const Circuit measured = teleportation({0.1, 0.0}, 0.2);
  EXPECT_NE(find_method("fock").estimate(measured, {}).error().find("ask for shots"), std::string::npos);
  Circuit wide(12);
  wide.append(Op::kerr, {0}, {0.1});
  EXPECT_NE(find_method("fock").estimate(wide, {}).error().find("2^32"), std::string::npos);
  RunOptions options;
  options.cutoff = 500;
  EXPECT_THROW((void)find_method("fock").estimate(kerr, options), Error);
}

TEST(Modes, SinglePrecisionIsNearTheDouble) {
  const Circuit c = random_gaussian(4, false);
  RunOptions options;
  options.cutoff = 12;
  const auto wide = numbers(run("fock", c, options), "x");
  options.precision = Precision::single_precision;
  const auto narrow = numbers(run("fock", c, options), "x");
  for (const std::size_t k : {0U, 1U}) EXPECT_NEAR(wide[k], narrow[k], 2e-5);
  EXPECT_NE(wide, narrow);
}

TEST(Modes, TruncationIsReported) {
  Circuit c(1);
  c.append(Op::displacement, {0}, {2.0, 0.0});
  RunOptions options;
  options.cutoff = 3;
  double kept = 0, p = std::exp(-4.0);
  for (int n = 0; n < 3; p *= 4.0 / ++n) kept += p;
  EXPECT_NEAR(run("fock", c, options).discarded_weight, 1 - kept, 1e-12);
}

}  // namespace
}  // namespace skerry::sim
