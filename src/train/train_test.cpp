#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <skerry/error.hpp>
#include <skerry/fine_tuning.hpp>
#include <skerry/training.hpp>

#include "train/discriminator.hpp"

namespace skerry::train {
namespace {

TEST(Discriminator, GradientsEqualCentralDifferences) {
  Discriminator network({3, 5, 4, 1}, 4);
  std::mt19937 random(1);
  std::normal_distribution<double> normal;
  for (double& value : network.parameters()) value = normal(random);
  std::vector<double> x(12), by_parameters(network.parameters().size()), by_x(12), unused(by_parameters.size());
  for (double& value : x) value = normal(random);
  for (const double sign : {1.0, -1.0}) {
    std::fill(by_parameters.begin(), by_parameters.end(), 0.0);
    const double value = network.by_parameters(sign, x, by_parameters);
    EXPECT_EQ(network.by_points(sign, x, by_x), value);
    const auto slope = [&](double& moved) {
      const double before = moved, step = 1e-6;
      moved = before + step;
      const double high = network.by_parameters(sign, x, unused);
      moved = before - step;
      const double low = network.by_parameters(sign, x, unused);
      moved = before;
      return (high - low) / (2 * step);
    };
    for (std::size_t i = 0; i < by_parameters.size(); ++i)
      EXPECT_NEAR(by_parameters[i], slope(network.parameters()[i]), 1e-7);
    for (std::size_t i = 0; i < by_x.size(); ++i) EXPECT_NEAR(by_x[i], slope(x[i]), 1e-7);
  }
}

TEST(Discriminator, LossIsTheMeanSoftplusOfTheScoreWrittenOut) {
  Discriminator network({1, 2, 1}, 3);
  const std::vector<double> parameters{0.5, -1.5, 0.1, 0.2, 2.0, -0.7, 0.3};  // W1, b1, W2, b2
  std::copy(parameters.begin(), parameters.end(), network.parameters().begin());
  const std::vector<double> x{-2.0, 0.0, 1.5};
  double expected = 0;
  for (const double point : x) {
    double score = 0.3;
    for (const std::size_t unit : {std::size_t{0}, std::size_t{1}}) {
      const double sum = parameters[unit] * point + parameters[2 + unit];
      score += parameters[4 + unit] * (sum > 0 ? sum : 0.2 * sum);
    }
    expected += std::log1p(std::exp(-score)) / 3;
  }
  std::vector<double> gradient(parameters.size());
  EXPECT_NEAR(network.by_parameters(-1, x, gradient), expected, 1e-14);
}

TEST(Tasks, NormalNumbersHaveMeanZeroAndVarianceOne) {
  const std::vector<double> numbers = normal_numbers(5, 20000);
  double mean = 0, square = 0;
  for (const double value : numbers) mean += value, square += value * value;
  EXPECT_NEAR(mean / 20000, 0, 0.03);
  EXPECT_NEAR(square / 20000, 1, 0.04);
}

TEST(Metrics, AShiftedSetIsAsFarAsItsShiftProjected) {
  std::vector<double> a = draw_task("ring", 1, 500), b = a;
  EXPECT_EQ(sliced_wasserstein(a, b), 0);
  for (std::size_t i = 0; i < b.size(); i += 2) b[i] += 0.5;
  EXPECT_NEAR(sliced_wasserstein(a, b), 0.5 * 2 / std::acos(-1.0), 1e-3);  // mean of |cos|
  EXPECT_GT(squared_mmd(a, b), 0.01);
  EXPECT_LT(std::abs(squared_mmd(a, draw_task("ring", 2, 500))), 0.01);
  EXPECT_THROW(sliced_wasserstein(a, {1.0, 2.0}), Error);
}

TEST(GanTrainer, RefusesOptionsThatCannotWork) {
  GanOptions options;
  options.generator.modes = 3;
  EXPECT_THROW(GanTrainer{options}, Error);
  options.generator.modes = 2;
  options.batch = 0;
  EXPECT_THROW(GanTrainer{options}, Error);
}

/// x [N, 6] through two products; every third weight is zero.
Graph small_network(std::mt19937& random) {
  std::normal_distribution<float> normal;
  Graph graph;
  ValueId x = graph.add_input("x", {DType::f32, std::vector<Dim>{Dim("N"), Dim(6)}});
  for (const auto& [name, rows, columns] : {std::tuple("a", 6, 5), std::tuple("b", 5, 4)}) {
    std::vector<float> weights(static_cast<std::size_t>(rows * columns));
    for (std::size_t i = 0; i < weights.size(); ++i) weights[i] = i % 3 == 0 ? 0.0F : normal(random);
    const ValueId w = graph.add_constant(name, Tensor::from<float>(weights, Shape{rows, columns}));
    x = graph.add("MatMul", {x, w}, std::string("product ") + name);
  }
  graph.mark_output(x);
  return graph;
}

TEST(FineTuner, KeepsZerosAndRepeatsItsBits) {
  std::mt19937 random(2);
  const Graph model = small_network(random);
  Tensor points(DType::f32, Shape{8, 6});
  for (float& value : points.mutable_view().as<float>()) value = std::normal_distribution<float>()(random);
  const std::vector<std::int64_t> classes{0, 1, 2, 3, 0, 1, 2, 3};
  const Tensor labels = Tensor::from<std::int64_t>(classes, Shape{8});
  for (const bool rounds : {false, true}) {
    const FineTuneOptions options{
        .rate = 0.05, .weight_bits = rounds ? 4 : 0, .activation_bits = rounds ? 4 : 0, .keep_zeros = true};
    FineTuner one(model, options), other(model, options);
    const double before = one.loss({{"x", points}}, labels);
    for (int step = 0; step < 40; ++step) {
      const double loss = one.step({{"x", points}}, labels);
      EXPECT_EQ(loss, other.step({{"x", points}}, labels));
    }
    EXPECT_LT(one.loss({{"x", points}}, labels), 0.7 * before);
    const auto found = one.parameters();
    ASSERT_EQ(found.size(), 2U);
    for (const TrainedParameter& parameter : found) {
      const auto values = parameter.value.as<float>();
      EXPECT_EQ(parameter.left, values.size() - (values.size() + 2) / 3);
      for (std::size_t i = 0; i < values.size(); ++i) EXPECT_EQ(values[i] == 0.0F, i % 3 == 0) << i;
    }
  }
}

}  // namespace
}  // namespace skerry::train
