#include "kernels/fock/ket.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
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

/// The elements of a gate for each parameter, evaluated side by side.
std::vector<std::vector<double>> evaluated(const GateElements& gate, const std::vector<double>& parameters) {
  std::vector<std::vector<double>> all(parameters.size(), std::vector<double>(gate.elements()));
  std::vector<double> scratch;
  for (std::size_t first = 0; first < parameters.size(); first += GateElements::width()) {
    const std::size_t count = std::min(GateElements::width(), parameters.size() - first);
    std::vector<double*> outs;
    for (std::size_t k = 0; k < count; ++k) outs.push_back(all[first + k].data());
    gate.evaluate<double>(std::span(parameters).subspan(first, count), scratch, outs);
  }
  return all;
}

TEST(Elements, DisplacementEqualsTheTextbookWhereThatIsAccurate) {
  const std::vector<double> parameters{0.0, 0.4, -1.1, 2.0, 0.01};
  const auto all = evaluated(GateElements::displacement(12), parameters);
  for (std::size_t k = 0; k < parameters.size(); ++k) {
    const std::vector<double> expected = textbook_displacement(parameters[k], 12, 13);
    for (std::size_t m = 0; m < 12; ++m) {
      for (std::size_t n = 0; n < 12; ++n)
        EXPECT_NEAR(all[k][m * 12 + n], expected[m * 13 + n], 2e-14) << parameters[k] << " " << m << " " << n;
      EXPECT_NEAR(all[k][std::size_t{12} * 12 + m], expected[m * 13 + 12], 2e-14)
          << parameters[k] << " from 12 to " << m;
    }
  }
}

TEST(Elements, AGateHasTheSameBitsWhateverItsNeighboursAre) {
  // Beam splitters on both sides of 45 degrees take their recurrences from different ends.
  const std::vector<double> parameters{0.3, 1.4, -0.2, 2.9, 0.77, 0.8};
  for (const GateElements& gate : {GateElements::displacement(9), GateElements::squeezing(9),
                                   GateElements::beam_splitter(5, 7), GateElements::two_mode_squeezing(5, 7)}) {
    const auto all = evaluated(gate, parameters);
    for (std::size_t k = 0; k < parameters.size(); ++k) EXPECT_EQ(all[k], evaluated(gate, {parameters[k]})[0]);
  }
}

TEST(Elements, RowsOfASqueezerAreOrthonormalFarBelowTheCutoff) {
  const GateElements gate = GateElements::squeezing(120);
  const std::vector<double> s = evaluated(gate, {0.5})[0];
  for (const ElementBlock& block : gate.blocks())
    for (std::size_t a = 0; a < 6; ++a)
      for (std::size_t b = 0; b < 6; ++b) {
        double product = 0;
        for (std::size_t n = 0; n < block.size; ++n)
          product += s[block.at + a * block.size + n] * s[block.at + b * block.size + n];
        EXPECT_NEAR(product, a == b ? 1.0 : 0.0, 1e-13);
      }
}

TEST(Elements, BeamSplitterBlocksWithoutACutAreOrthogonal) {
  const GateElements gate = GateElements::beam_splitter(9, 12);
  for (const std::vector<double>& elements : evaluated(gate, {0.0, 0.3, 1.2, 2.9}))
    for (const ElementBlock& block : gate.blocks()) {
      if (block.first[0] + block.first[1] >= 9) break;
      for (std::size_t a = 0; a < block.size; ++a)
        for (std::size_t b = 0; b < block.size; ++b) {
          double product = 0;
          for (std::size_t n = 0; n < block.size; ++n)
            product += elements[block.at + a * block.size + n] * elements[block.at + b * block.size + n];
          EXPECT_NEAR(product, a == b ? 1.0 : 0.0, 1e-14);
        }
    }
}

TEST(Elements, TwoModeSqueezingOfTheVacuumIsThermalInEachMode) {
  const GateElements gate = GateElements::two_mode_squeezing(20, 17);
  const std::vector<double> elements = evaluated(gate, {0.6})[0];
  for (const ElementBlock& block : gate.blocks()) {
    if (block.first[0] + block.first[1] != 0) continue;
    for (std::size_t n = 0; n < block.size; ++n)
      EXPECT_NEAR(elements[block.at + n * block.size], std::pow(std::tanh(0.6), n) / std::cosh(0.6), 1e-15);
  }
}

/// A gate of random blocks on a ket of 60 amplitudes, with its dense matrix.
template <class T>
struct RandomGate {
  MatrixGate<T> gate;
  std::vector<std::complex<double>> dense = std::vector<std::complex<double>>(std::size_t{60} * 60);
  explicit RandomGate(bool is_complex) {
    std::mt19937 random(7);
    std::uniform_real_distribution<double> uniform(-1, 1);
    gate.columns = {0, 20, 40};
    std::ptrdiff_t offset = 0;
    for (const std::uint32_t size : {1U, 2U, 3U, 5U, 6U}) add_block(offset, size, is_complex), offset += size;
    add_block(offset, 3, is_complex);
  }
  T number() { return static_cast<T>(std::uniform_real_distribution<double>(-1, 1)(random_)); }

 private:
  void add_block(std::ptrdiff_t offset, std::uint32_t size, bool is_complex) {
    MatrixBlock block;
    block.offset = offset;
    block.stride = 1;
    block.size = size;
    block.matrix = gate.entries.size();
    for (std::uint32_t row = 0; row < size; ++row)
      for (std::uint32_t column = 0; column < size; ++column) {
        gate.entries.push_back(number());
        if (is_complex) gate.imaginary.push_back(number());
        const std::complex<double> value(gate.entries.back(), is_complex ? gate.imaginary.back() : T(0));
        for (const std::ptrdiff_t c : gate.columns)
          dense[static_cast<std::size_t>((c + offset + row) * 60 + c + offset + column)] = value;
      }
    gate.blocks.push_back(block);
  }
  std::mt19937 random_{7};
};

template <class T>
void check_apply(double tolerance) {
  const KetKernels<T>& kernels = ket_kernels<T>();
  for (std::size_t lanes = kernels.min_lanes; lanes <= kernels.max_lanes; lanes *= 2)
    for (const bool is_complex : {false, true})
      for (const bool adjoint : {false, true})
        for (const bool turns : {false, true}) {
          RandomGate<T> random(is_complex);
          alignas(64) std::array<T, std::size_t{120} * 16> source{}, target{}, plain{};
          std::array<T, 120> factors{};
          for (T& value : source) value = random.number();
          for (T& value : factors) value = random.number();
          const Phases<T> phases{turns ? factors.data() : nullptr, factors.data() + 60};
          if (adjoint) {
            kernels.apply_adjoint(lanes, random.gate, phases, source.data(), plain.data(), target.data());
          } else {
            kernels.apply(lanes, random.gate, phases, source.data(), target.data());
          }
          const auto at = [lanes](const std::array<T, std::size_t{120} * 16>& ket, std::size_t n, std::size_t lane) {
            return std::complex<double>(static_cast<double>(ket[2 * n * lanes + lane]),
                                        static_cast<double>(ket[(2 * n + 1) * lanes + lane]));
          };
          for (std::size_t lane = 0; lane < lanes; ++lane)
            for (std::size_t m = 0; m < 60; ++m) {
              std::complex<double> expected = 0;
              for (std::size_t n = 0; n < 60; ++n)
                expected +=
                    (adjoint ? std::conj(random.dense[n * 60 + m]) : random.dense[m * 60 + n]) * at(source, n, lane);
              if (adjoint) {
                EXPECT_NEAR(std::abs(at(plain, m, lane) - expected), 0, tolerance);
              }
              if (adjoint && !turns) continue;
              const std::complex<double> phase(factors[m], factors[60 + m]);
              if (turns) expected *= adjoint ? std::conj(phase) : phase;
              EXPECT_NEAR(std::abs(at(target, m, lane) - expected), 0, tolerance);
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
