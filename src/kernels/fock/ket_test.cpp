#include "kernels/fock/ket.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <complex>
#include <random>

#include "kernels/fock/elements.hpp"

namespace skerry::kernels::fock {
namespace {

/// Textbook recurrence along columns in long double: exact enough up to 12 photons.
std::vector<double> textbook_displacement(double r, std::size_t rows, std::size_t columns) {
  std::vector<long double> d(rows * columns);
  for (std::size_t m = 0; m < rows; ++m)
    d[m * columns] =
        m == 0 ? std::exp(-0.5L * r * r) : r / std::sqrt(static_cast<long double>(m)) * d[(m - 1) * columns];
  for (std::size_t n = 1; n < columns; ++n)
    for (std::size_t m = 0; m < rows; ++m) {
      const long double above = m == 0 ? 0.0L : std::sqrt(static_cast<long double>(m)) * d[(m - 1) * columns + n - 1];
      d[m * columns + n] = (above - r * d[m * columns + n - 1]) / std::sqrt(static_cast<long double>(n));
    }
  return {d.begin(), d.end()};
}

TEST(Elements, DisplacementEqualsTheTextbookWhereThatIsAccurate) {
  for (const double r : {0.0, 0.4, -1.1, 2.0}) {
    std::vector<double> actual(13 * 12);
    displacement(r, 13, 12, actual);
    const std::vector<double> expected = textbook_displacement(r, 13, 12);
    for (std::size_t i = 0; i < actual.size(); ++i) EXPECT_NEAR(actual[i], expected[i], 2e-14) << r << " " << i;
  }
}

TEST(Elements, RowsOfASqueezerAreOrthonormalFarBelowTheCutoff) {
  constexpr std::size_t kSize = 120;
  std::vector<double> s(kSize * kSize);
  squeezing(0.5, kSize, s);
  for (std::size_t a = 0; a < 12; ++a)
    for (std::size_t b = 0; b < 12; ++b) {
      double product = 0;
      for (std::size_t n = 0; n < kSize; ++n) product += s[a * kSize + n] * s[b * kSize + n];
      EXPECT_NEAR(product, a == b ? 1.0 : 0.0, 1e-13);
    }
}

TEST(Elements, BeamSplitterBlocksWithoutACutAreOrthogonal) {
  BeamSplitter splitter(9, 12);
  std::vector<double> elements(splitter.elements());
  for (const double t : {0.0, 0.3, 1.2, 2.9}) {
    splitter.evaluate(t, elements);
    for (const PairBlock& block : splitter.blocks()) {
      if (block.invariant >= 9) break;
      for (std::size_t a = 0; a < block.size; ++a)
        for (std::size_t b = 0; b < block.size; ++b) {
          double product = 0;
          for (std::size_t n = 0; n < block.size; ++n)
            product += elements[block.at + a * block.size + n] * elements[block.at + b * block.size + n];
          EXPECT_NEAR(product, a == b ? 1.0 : 0.0, 1e-14);
        }
    }
  }
}

TEST(Elements, TwoModeSqueezingOfTheVacuumIsThermalInEachMode) {
  const TwoModeSqueezing squeezer(20, 17);
  std::vector<double> elements(squeezer.elements());
  squeezer.evaluate(0.6, elements);
  for (const PairBlock& block : squeezer.blocks()) {
    if (block.invariant != 0) continue;
    for (std::size_t n = 0; n < block.size; ++n)
      EXPECT_NEAR(elements[block.at + n * block.size], std::pow(std::tanh(0.6), n) / std::cosh(0.6), 1e-15);
  }
}

/// A gate of random blocks on a ket of 60 amplitudes, with its dense matrix.
template <class T>
struct RandomGate {
  MatrixGate<T> gate;
  std::vector<std::complex<double>> dense = std::vector<std::complex<double>>(60 * 60);
  explicit RandomGate(bool is_complex) {
    std::mt19937 random(7);
    std::uniform_real_distribution<double> uniform(-1, 1);
    gate.is_complex = is_complex;
    gate.columns = {0, 20, 40};
    std::ptrdiff_t offset = 0;
    for (const std::uint32_t size : {1U, 2U, 3U, 5U, 6U}) add_block(offset, size, random, uniform), offset += size;
    add_block(offset, 3, random, uniform);
  }

 private:
  void add_block(std::ptrdiff_t offset, std::uint32_t size, std::mt19937& random,
                 std::uniform_real_distribution<double>& uniform) {
    MatrixBlock block;
    block.offset = offset;
    block.stride = 1;
    block.size = size;
    block.forward = gate.forward.size();
    for (std::uint32_t row = 0; row < size; row += tile_rows(row, size))
      for (std::uint32_t column = 0; column < size; ++column)
        for (int part = 0; part < (gate.is_complex ? 2 : 1); ++part)
          for (std::uint32_t r = row; r < row + tile_rows(row, size); ++r) {
            const double value = static_cast<double>(static_cast<T>(uniform(random)));
            gate.forward.push_back(static_cast<T>(value));
            for (const std::ptrdiff_t c : gate.columns) {
              auto& entry = dense[static_cast<std::size_t>((c + offset + r) * 60 + c + offset + column)];
              entry += part == 0 ? std::complex(value, 0.0) : std::complex(0.0, value);
            }
          }
    gate.blocks.push_back(block);
  }
};

template <class T>
void check_apply(double tolerance) {
  const KetKernels<T>& kernels = ket_kernels<T>();
  for (std::size_t lanes = kernels.min_lanes; lanes <= kernels.max_lanes; lanes *= 2)
    for (const bool is_complex : {false, true}) {
      const RandomGate<T> random(is_complex);
      alignas(64) std::array<T, 120 * 16> source{}, target{};
      std::mt19937 numbers(3);
      for (T& value : source) value = static_cast<T>(std::uniform_real_distribution<double>(-1, 1)(numbers));
      kernels.apply(lanes, random.gate, false, source.data(), target.data());
      for (std::size_t lane = 0; lane < lanes; ++lane)
        for (std::size_t m = 0; m < 60; ++m) {
          std::complex<double> expected = 0;
          for (std::size_t n = 0; n < 60; ++n)
            expected += random.dense[m * 60 + n] *
                        std::complex<double>(static_cast<double>(source[2 * n * lanes + lane]),
                                             static_cast<double>(source[(2 * n + 1) * lanes + lane]));
          EXPECT_NEAR(static_cast<double>(target[2 * m * lanes + lane]), expected.real(), tolerance);
          EXPECT_NEAR(static_cast<double>(target[(2 * m + 1) * lanes + lane]), expected.imag(), tolerance);
        }
    }
}

TEST(KetKernels, ApplyIsTheDenseProductInEveryLaneForFloats) {
  check_apply<float>(3e-6);
}
TEST(KetKernels, ApplyIsTheDenseProductInEveryLaneForDoubles) {
  check_apply<double>(1e-14);
}

}  // namespace
}  // namespace skerry::kernels::fock
