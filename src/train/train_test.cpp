#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <skerry/error.hpp>
#include <skerry/training.hpp>

#include "train/dense.hpp"

namespace skerry::train {
namespace {

TEST(DenseNetwork, GradientsEqualCentralDifferences) {
  DenseNetwork network({3, 5, 4, 2});
  std::mt19937 random(1);
  std::normal_distribution<double> normal;
  for (double& value : network.parameters()) value = normal(random);
  std::vector<double> x(4 * 3), cotangent(4 * 2), by_parameters(network.parameters().size()), by_x(12);
  for (double& value : x) value = normal(random);
  for (double& value : cotangent) value = normal(random);
  const auto loss = [&] {
    const auto out = network.forward(4, x);
    double sum = 0;
    for (std::size_t i = 0; i < out.size(); ++i) sum += out[i] * cotangent[i];
    return sum;
  };
  loss();
  network.backward(cotangent, by_parameters, by_x);
  const auto slope = [&](double& value) {
    const double before = value, step = 1e-6;
    value = before + step;
    const double high = loss();
    value = before - step;
    const double low = loss();
    value = before;
    return (high - low) / (2 * step);
  };
  for (std::size_t i = 0; i < by_parameters.size(); ++i)
    EXPECT_NEAR(by_parameters[i], slope(network.parameters()[i]), 1e-7);
  for (std::size_t i = 0; i < by_x.size(); ++i) EXPECT_NEAR(by_x[i], slope(x[i]), 1e-7);
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

}  // namespace
}  // namespace skerry::train
