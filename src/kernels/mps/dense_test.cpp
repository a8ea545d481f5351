#include "kernels/mps/dense.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "kernels/testing/targets.hpp"

namespace skerry::kernels {
namespace {

using Matrix = std::vector<Complex>;

Matrix random_matrix(std::size_t size, std::mt19937& random) {
  std::normal_distribution<double> normal;
  Matrix out(size);
  for (Complex& entry : out) entry = {normal(random), normal(random)};
  return out;
}

Matrix plain_product(std::size_t rows, std::size_t inner, std::size_t columns, const Matrix& a, const Matrix& b) {
  Matrix c(rows * columns);
  for (std::size_t i = 0; i < rows; ++i)
    for (std::size_t j = 0; j < columns; ++j)
      for (std::size_t k = 0; k < inner; ++k) c[i * columns + j] += a[i * inner + k] * b[k * columns + j];
  return c;
}

void expect_near(const Matrix& a, const Matrix& b, double allowed) {
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) ASSERT_LT(std::abs(a[i] - b[i]), allowed) << i;
}

/// rows† rows: what a unitary mixing of the rows does not change.
Matrix gram(const Matrix& rows, std::size_t count, std::size_t length) {
  Matrix out(length * length);
  for (std::size_t k = 0; k < count; ++k)
    for (std::size_t i = 0; i < length; ++i)
      for (std::size_t j = 0; j < length; ++j)
        out[i * length + j] += std::conj(rows[k * length + i]) * rows[k * length + j];
  return out;
}

TEST(Multiply, EqualsTheDefinitionOnEveryInstructionSet) {
  testing::for_each_target([](const char*) {
    std::mt19937 random(1);
    for (const auto& [m, k, n] : {std::tuple<std::size_t, std::size_t, std::size_t>{1, 1, 1}, {3, 5, 7}, {8, 4, 16}}) {
      const Matrix a = random_matrix(m * k, random), b = random_matrix(k * n, random);
      Matrix c(m * n);
      multiply(m, k, n, a.data(), b.data(), c.data());
      expect_near(c, plain_product(m, k, n, a, b), 1e-13);
    }
  });
}

TEST(OrthogonalizeRows, KeepsWhatTheRowsSpanAndMakesThemOrthogonal) {
  testing::for_each_target([](const char* target) {
    std::mt19937 random(2);
    for (const auto& [count, length] :
         {std::pair<std::size_t, std::size_t>{1, 3}, {4, 4}, {10, 6}, {6, 11}, {16, 16}}) {
      Matrix rows = random_matrix(count * length, random);
      // Rows of very different size, and one that depends on another.
      for (std::size_t i = 0; i < count; ++i)
        for (std::size_t j = 0; j < length; ++j) rows[i * length + j] *= std::pow(10.0, -static_cast<double>(i % 7));
      if (count > 2) std::copy_n(rows.begin(), length, rows.begin() + static_cast<std::ptrdiff_t>(length));
      const Matrix before = gram(rows, count, length);
      std::vector<double> norms(count);
      orthogonalize_rows(rows.data(), count, length, 1e-40, norms);
      expect_near(gram(rows, count, length), before, 1e-12);
      for (std::size_t i = 0; i < count; ++i) {
        for (std::size_t j = 0; j < i; ++j) {
          const Complex dot = inner_product(&rows[i * length], &rows[j * length], length);
          ASSERT_LE(std::abs(dot), 1e-14 * std::sqrt(norms[i] * norms[j]) + 1e-17) << target << i << j;
        }
        ASSERT_NEAR(norms[i], inner_product(&rows[i * length], &rows[i * length], length).real(), 1e-13);
      }
    }
  });
}

TEST(OrthonormalizeRows, FactorTimesRowsIsTheMatrix) {
  testing::for_each_target([](const char* target) {
    std::mt19937 random(3);
    for (const auto& [count, length] : {std::pair<std::size_t, std::size_t>{1, 3}, {4, 4}, {10, 6}, {6, 11}}) {
      Matrix rows = random_matrix(count * length, random);
      if (count > 2) std::copy_n(rows.begin(), length, rows.begin() + static_cast<std::ptrdiff_t>(length));
      const Matrix before = rows;
      Matrix factor;
      const std::size_t found = orthonormalize_rows(rows.data(), count, length, factor);
      EXPECT_EQ(found, std::min(length, count > 2 ? count - 1 : count)) << target;
      rows.resize(found * length);
      expect_near(plain_product(count, found, length, factor, rows), before, 1e-12);
      for (std::size_t i = 0; i < found; ++i)
        for (std::size_t j = 0; j <= i; ++j)
          ASSERT_LT(std::abs(inner_product(&rows[i * length], &rows[j * length], length) - (i == j ? 1.0 : 0.0)),
                    1e-14);
    }
  });
}

}  // namespace
}  // namespace skerry::kernels
