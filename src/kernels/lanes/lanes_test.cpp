#include "kernels/lanes/lanes.hpp"

#include <gtest/gtest.h>

#include <bit>
#include <complex>
#include <random>

#include "base/memory.hpp"
#include "kernels/testing/targets.hpp"

namespace skerry::kernels {
namespace {

using Complex = std::complex<double>;

/// A state of random amplitudes, in lanes and plainly.
template <class T>
class Random {
 public:
  explicit Random(int vector_wires, std::uint64_t seed) : vector_wires_(vector_wires), random_(seed) {
    const std::size_t lanes = std::size_t{1} << lane_bits<T>(), size = lanes << vector_wires;
    buffer_ = base::Buffer::allocate_for<T>(2 * size, base::MemoryBudget(), "state");
    for (T& x : buffer_.template as<T>()) x = static_cast<T>(real());
  }
  double real() { return std::uniform_real_distribution<double>(-1, 1)(random_); }
  LaneView<T> view() { return {buffer_.template as<T>().data(), vector_wires_}; }
  std::vector<Complex> plain() const {
    const std::size_t lanes = std::size_t{1} << lane_bits<T>();
    const auto x = buffer_.template as<T>();
    std::vector<Complex> out(x.size() / 2);
    for (std::size_t i = 0; i < out.size(); ++i) {
      const std::size_t at = i / lanes * 2 * lanes + i % lanes;
      out[i] = {static_cast<double>(x[at]), static_cast<double>(x[at + lanes])};
    }
    return out;
  }

 private:
  int vector_wires_;
  std::mt19937_64 random_;
  base::Buffer buffer_;
};

double farthest(const std::vector<Complex>& a, const std::vector<Complex>& b) {
  double most = 0;
  for (std::size_t i = 0; i < a.size(); ++i) most = std::max(most, std::abs(a[i] - b[i]));
  return most;
}

/// A gate by its place in the index: slots and moves of `targets`, one coefficient per lane as the formula says.
template <class T>
struct Placed {
  LaneGate gate;
  base::Buffer coefficients;
  const T* data() const { return coefficients.template as<T>().data(); }
};
template <class T>
Placed<T> place(int wires, std::uint64_t controls, const std::vector<int>& targets, const std::vector<Complex>& m) {
  const int bits = lane_bits<T>();
  const std::size_t lanes = std::size_t{1} << bits, n = std::size_t{1} << targets.size();
  Placed<T> out;
  std::vector<int> slots;
  std::vector<std::size_t> slot_rows, move_rows;
  for (std::size_t t = 0; t < targets.size(); ++t) {
    if (targets[t] >= bits) {
      slots.push_back(targets[t] - bits);
      slot_rows.push_back(std::size_t{1} << t);
    } else {
      out.gate.move_bits[move_rows.size()] = static_cast<std::uint8_t>(targets[t]);
      move_rows.push_back(std::size_t{1} << t);
    }
  }
  out.gate.slots = static_cast<int>(slots.size());
  out.gate.moves = static_cast<int>(move_rows.size());
  out.gate.groups = Groups(wires - bits, controls >> bits, slots);
  out.coefficients =
      base::Buffer::allocate_for<T>(out.gate.coefficients() * 2 * lanes, base::MemoryBudget(), "coefficients");
  const auto spread = [](std::size_t value, const std::vector<std::size_t>& rows) {
    std::size_t row = 0;
    for (std::size_t j = 0; j < rows.size(); ++j) row |= (value >> j & 1) * rows[j];
    return row;
  };
  auto to = out.coefficients.template as<T>().begin();
  for (std::size_t r = 0; r < std::size_t{1} << slots.size(); ++r) {
    for (std::size_t c = 0; c < std::size_t{1} << slots.size(); ++c) {
      for (std::size_t s = 0; s < std::size_t{1} << move_rows.size();
           ++s, to += static_cast<std::ptrdiff_t>(2 * lanes)) {
        for (std::size_t lane = 0; lane < lanes; ++lane) {
          std::size_t own = 0;
          for (std::size_t j = 0; j < move_rows.size(); ++j) own |= (lane >> out.gate.move_bits[j] & 1) * move_rows[j];
          const std::size_t row = spread(r, slot_rows) | own;
          const std::size_t column = spread(c, slot_rows) | (own ^ spread(s, move_rows));
          const std::uint64_t low = controls & (lanes - 1);
          const Complex value = (lane & low) == low ? m[row * n + column] : Complex(row == column ? 1 : 0);
          to[static_cast<std::ptrdiff_t>(lane)] = static_cast<T>(value.real());
          to[static_cast<std::ptrdiff_t>(lane + lanes)] = static_cast<T>(value.imag());
        }
      }
    }
  }
  return out;
}

template <class T>
class Lanes : public ::testing::Test {
 public:
  static constexpr double kTolerance = sizeof(T) == 4 ? 1e-5 : 1e-13;
};
using Types = ::testing::Types<float, double>;
TYPED_TEST_SUITE(Lanes, Types);

TYPED_TEST(Lanes, GatesOnEveryPairOfPlacesDoWhatThePlainLoopDoes) {
  using T = TypeParam;
  testing::for_each_target([&](const char* target) {
    const int bits = lane_bits<T>(), wires = bits + 3;
    for (int a = 0; a < wires; ++a) {
      for (int b = -1; b < wires; ++b) {
        if (a == b) continue;
        const int control = (a + 2) % wires == b ? (a + 3) % wires : (a + 2) % wires;
        std::vector<int> targets = {a};
        if (b >= 0) targets.push_back(b);
        const bool clash = control == a || control == b;
        const std::uint64_t controls = clash ? 0 : std::uint64_t{1} << control;
        Random<T> state(3, static_cast<std::uint64_t>(a * 64 + b + 1)),
            expected = Random<T>(3, static_cast<std::uint64_t>(a * 64 + b + 1));
        std::vector<Complex> matrix(std::size_t{1} << (2 * targets.size()));
        for (Complex& z : matrix) z = {state.real(), state.real()};
        std::vector<double> flat;
        for (const Complex& z : matrix) flat.insert(flat.end(), {z.real(), z.imag()});
        const auto placed = place<T>(wires, controls, targets, matrix);
        lane_apply(state.view(), placed.gate, placed.data(), 0, placed.gate.groups.count());
        lane_apply_wide(expected.view(), controls, targets, flat);
        EXPECT_LT(farthest(state.plain(), expected.plain()), 8 * this->kTolerance) << target << " " << a << " " << b;
      }
    }
  });
}

TYPED_TEST(Lanes, MomentsAreTheSumsTheirDefinitionSays) {
  using T = TypeParam;
  testing::for_each_target([&](const char* target) {
    const int bits = lane_bits<T>(), wires = bits + 3;
    const std::size_t lanes = std::size_t{1} << bits;
    for (int a = 0; a < wires; ++a) {
      Random<T> ket(3, 1), bra(3, 2);
      const std::vector<Complex> x = ket.plain(), y = bra.plain(), matrix = {0.3, {0, 0.4}, -0.2, 0.9};
      const auto placed = place<T>(wires, 0, {a}, matrix);
      auto moments = base::Buffer::allocate_for<T>(placed.gate.coefficients() * 2 * lanes, base::MemoryBudget(), "m");
      lane_unapply(ket.view(), bra.view(), placed.gate, placed.data(), true, moments.template as<T>().data(), 0,
                   placed.gate.groups.count());
      // The trace over rows of conj(bra) ket is the inner product; the rest is told by gradients.
      Complex found = 0, expected = 0;
      const auto m = moments.template as<T>();
      for (std::size_t r = 0; r < (placed.gate.slots == 1 ? 2U : 1U); ++r) {
        const std::size_t at = placed.gate.slots == 1 ? 3 * r : 0;
        for (std::size_t lane = 0; lane < lanes; ++lane)
          found += Complex(m[at * 2 * lanes + lane], m[at * 2 * lanes + lanes + lane]);
      }
      for (std::size_t i = 0; i < x.size(); ++i) expected += std::conj(y[i]) * x[i];
      EXPECT_LT(std::abs(found - expected), 100 * this->kTolerance) << target << " " << a;
      Random<T> alone(3, 1);
      lane_apply(alone.view(), placed.gate, placed.data(), 0, placed.gate.groups.count());
      EXPECT_EQ(farthest(alone.plain(), ket.plain()), 0.0) << target << " " << a;
    }
  });
}

TYPED_TEST(Lanes, GramSumsEveryPairOfLanes) {
  using T = TypeParam;
  testing::for_each_target([&](const char* target) {
    const std::size_t lanes = std::size_t{1} << lane_bits<T>();
    Random<T> a(7, 1), b(7, 2);
    std::vector<double> found(lanes * lanes);
    lane_gram(a.view(), b.view(), found.data());
    const auto x = a.plain(), y = b.plain();
    for (std::size_t l = 0; l < lanes; ++l) {
      for (std::size_t m = 0; m < lanes; ++m) {
        Complex expected = 0;
        for (std::size_t v = 0; v < 128; ++v) expected += std::conj(x[v * lanes + l]) * y[v * lanes + m];
        EXPECT_NEAR(found[lanes * l + m], expected.real(), 100 * this->kTolerance) << target;
      }
    }
  });
}

}  // namespace
}  // namespace skerry::kernels
