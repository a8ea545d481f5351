#include "kernels/gaussian/hafnian.hpp"

#include <gtest/gtest.h>

#include <random>
#include <skerry/error.hpp>
#include <vector>

namespace skerry::kernels::gaussian {
namespace {

/// Matches the first vertex left with every other one, and with itself.
std::complex<double> brute_force(std::size_t n, const std::vector<std::complex<double>>& matrix,
                                 const std::vector<std::complex<double>>& loops, unsigned used) {
  std::size_t first = 0;
  while (first < n && (used >> first & 1U) != 0) ++first;
  if (first == n) return 1.0;
  std::complex<double> sum = loops[first] * brute_force(n, matrix, loops, used | 1U << first);
  for (std::size_t j = first + 1; j < n; ++j)
    if ((used >> j & 1U) == 0)
      sum += matrix[first * n + j] * brute_force(n, matrix, loops, used | 1U << first | 1U << j);
  return sum;
}

TEST(Hafnian, EqualsBruteForceWithAndWithoutLoops) {
  std::mt19937 random(1);
  std::normal_distribution<double> normal;
  for (std::size_t n = 0; n <= 11; ++n) {
    std::vector<std::complex<double>> matrix(n * n), loops(n), none(n);
    for (std::size_t i = 0; i < n; ++i) {
      loops[i] = {normal(random), normal(random)};
      for (std::size_t j = 0; j <= i; ++j) matrix[i * n + j] = matrix[j * n + i] = {normal(random), normal(random)};
    }
    const auto with = brute_force(n, matrix, loops, 0), without = brute_force(n, matrix, none, 0);
    EXPECT_NEAR(std::abs(loop_hafnian(n, matrix, loops) - with), 0, 1e-12 * (1 + std::abs(with)));
    EXPECT_NEAR(std::abs(hafnian(n, matrix) - without), 0, 1e-12 * (1 + std::abs(without)));
  }
}

TEST(Hafnian, OfOnesIsTheDoubleFactorial) {
  double expected = 1;
  for (std::size_t n = 2; n <= 24; n += 2) {
    expected *= static_cast<double>(n - 1);
    EXPECT_NEAR(hafnian(n, std::vector<double>(n * n, 1.0)) / expected, 1, 1e-12) << n;
  }
}

TEST(Hafnian, RefusesWhatWouldTakeYears) {
  EXPECT_THROW(hafnian(62, std::vector<double>(std::size_t{62} * 62)), Error);
  EXPECT_THROW(hafnian(4, std::vector<double>(15)), Error);
}

TEST(Torontonian, OfADiagonalIsAProduct) {
  // Tor of thermal modes: the product of 1 / (1 - o) - 1.
  const std::vector<double> o{0.2, 0.5, 0.35};
  std::vector<std::complex<double>> matrix(36);
  double expected = 1;
  for (std::size_t i = 0; i < 6; ++i) matrix[i * 6 + i] = o[i % 3];
  for (const double value : o) expected *= 1 / (1 - value) - 1;
  EXPECT_NEAR(torontonian(3, matrix), expected, 1e-13);
}

}  // namespace
}  // namespace skerry::kernels::gaussian
