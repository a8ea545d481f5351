#include "kernels/tensor/fourier.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>
#include <random>

namespace skerry::kernels {
namespace {

using Number = std::complex<double>;

std::vector<Number> random_line(std::size_t length) {
  std::mt19937_64 random(length);
  const auto part = [&] { return static_cast<double>(random() >> 11) * 0x1p-52 - 1.0; };
  std::vector<Number> line;
  for (std::size_t i = 0; i < length; ++i) line.emplace_back(part(), part());
  return line;
}

// The definition, in long double.
std::vector<Number> sums(const std::vector<Number>& x, bool inverse) {
  std::vector<Number> y;
  for (std::size_t k = 0; k < x.size(); ++k) {
    std::complex<long double> sum = 0;
    for (std::size_t n = 0; n < x.size(); ++n) {
      const long double turn = static_cast<long double>(k * n % x.size()) / static_cast<long double>(x.size());
      const long double angle = (inverse ? 2 : -2) * std::numbers::pi_v<long double> * turn;
      sum += std::complex<long double>(x[n]) * std::complex<long double>(std::cos(angle), std::sin(angle));
    }
    y.emplace_back(sum);
  }
  return y;
}

double largest_difference(const std::vector<Number>& a, const std::vector<Number>& b) {
  double largest = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i) largest = std::max(largest, std::abs(a[i] - b[i]));
  return largest;
}

TEST(Fourier, IsTheSumThatDefinesItAtEveryLength) {
  for (std::size_t length = 1; length <= 130; ++length) {
    for (const bool inverse : {false, true}) {
      auto line = random_line(length);
      const auto right = sums(line, inverse);
      Fourier(length, inverse).transform(line);
      EXPECT_LT(largest_difference(line, right), 1e-13 * static_cast<double>(length + 8)) << length;
    }
  }
}

TEST(Fourier, OfLongLinesGoesThereAndBack) {
  for (const std::size_t length :
       {std::size_t{1} << 16, std::size_t{65'537}, std::size_t{3 * 5 * 7 * 11 * 13 * 4}, std::size_t{37 * 2048}}) {
    const auto before = random_line(length);
    auto line = before;
    Fourier(length, false).transform(line);
    Fourier(length, true).transform(line);
    for (Number& value : line) value /= static_cast<double>(length);
    EXPECT_LT(largest_difference(line, before), 1e-12) << length;
  }
}

TEST(Fourier, TakesFewStepsEvenWhereTheLengthIsPrime) {
  EXPECT_LT(Fourier::products(262'144), 50.0 * 262'144);
  EXPECT_LT(Fourier::products(262'147), 800.0 * 262'147);
}

}  // namespace
}  // namespace skerry::kernels
