#include "kernels/trajectories/lanes.hpp"

#include <gtest/gtest.h>

#include <bit>
#include <vector>

#include "base/memory.hpp"
#include "base/random.hpp"
#include "base/threads.hpp"
#include "kernels/testing/targets.hpp"

namespace skerry::kernels {
namespace {

using Complex = std::complex<double>;
using Vector = std::vector<Complex>;

template <class T>
struct States {
  explicit States(int wires, std::uint64_t seed)
      : buffer(base::Buffer::allocate(sizeof(ComplexLine<T>) << wires, base::MemoryBudget{}, "test")),
        lanes(kTrajectories<T>, Vector(std::size_t{1} << wires)) {
    view = {reinterpret_cast<ComplexLine<T>*>(buffer.data()), wires};
    base::Philox random(seed);
    for (std::size_t lane = 0; lane < lanes.size(); ++lane) {
      for (std::size_t i = 0; i < view.size(); ++i) {
        view.amplitudes[i].set(lane, {random.uniform() - 0.5, random.uniform() - 0.5});
        lanes[lane][i] = view.amplitudes[i].get(lane);
      }
    }
  }
  base::Buffer buffer;
  LaneState<T> view;
  std::vector<Vector> lanes;
};

/// m on wires where the controls are 1, by the definition.
void apply_plain(Vector& x, const std::vector<int>& wires, std::uint64_t controls, const Vector& m) {
  const std::size_t rows = std::size_t{1} << wires.size();
  Vector out = x;
  for (std::size_t i = 0; i < x.size(); ++i) {
    if ((i & controls) != controls) continue;
    std::size_t row = 0, rest = i;
    for (std::size_t j = 0; j < wires.size(); ++j) {
      row |= (i >> wires[j] & 1) << j;
      rest &= ~(std::size_t{1} << wires[j]);
    }
    out[i] = 0;
    for (std::size_t c = 0; c < rows; ++c) {
      std::size_t from = rest;
      for (std::size_t j = 0; j < wires.size(); ++j) from |= (c >> j & 1) << wires[j];
      out[i] += m[row * rows + c] * x[from];
    }
  }
  x = out;
}

/// Other numbers for each lane; gives them lane by lane.
template <std::size_t n, class T>
std::vector<Vector> fill(std::array<ComplexLine<T>, n>& lines, std::uint64_t seed) {
  base::Philox random(seed);
  std::vector<Vector> plain(kTrajectories<T>, Vector(n));
  for (std::size_t e = 0; e < n; ++e) {
    for (std::size_t lane = 0; lane < plain.size(); ++lane) {
      lines[e].set(lane, {random.uniform() - 0.5, random.uniform() - 0.5});
      plain[lane][e] = lines[e].get(lane);
    }
  }
  return plain;
}

template <class T>
void expect_equal(const States<T>& states, double tolerance) {
  for (std::size_t lane = 0; lane < states.lanes.size(); ++lane)
    for (std::size_t i = 0; i < states.view.size(); ++i)
      ASSERT_NEAR(std::abs(states.view.amplitudes[i].get(lane) - states.lanes[lane][i]), 0, tolerance)
          << "lane " << lane << ", amplitude " << i;
}

template <class T>
void expect_gates(double tolerance) {
  constexpr int wires = 4;
  for (int a = 0; a < wires; ++a) {
    for (int b = 0; b < wires; ++b) {
      if (a == b) continue;
      States<T> states(wires, 7);
      const std::uint64_t control = std::uint64_t{1} << b;
      LaneMatrix2<T> m, other;
      LaneMatrix4<T> four;
      std::array<ComplexLine<T>, 1> factor;
      const auto pm = fill(m, 1), po = fill(other, 2), pf = fill(four, 3), pp = fill(factor, 4);
      apply_one<T>(states.view, a, control, m, {});
      apply_two<T>(states.view, a, m, b, other, {});
      const int free = a != 0 && b != 0 ? 0 : (a != 1 && b != 1 ? 1 : 2);
      apply_four<T>(states.view, a, b, std::uint64_t{1} << free, four, {});
      apply_phase<T>(states.view, control | std::uint64_t{1} << a, factor[0], {});
      Line<T> active;
      active.of.fill(T(1));
      active.of[1] = T(0);
      const int list[] = {b, free, a};
      Vector eight(64);
      for (std::size_t i = 0; i < 64; ++i) eight[i] = {0.01 * static_cast<double>(i % 7), i % 5 == 0 ? 0.2 : 0.0};
      apply_many<T>(states.view, list, 0, eight, active, {});
      for (std::size_t lane = 0; lane < states.lanes.size(); ++lane) {
        Vector& x = states.lanes[lane];
        apply_plain(x, {a}, control, pm[lane]);
        apply_plain(x, {a}, 0, pm[lane]);
        apply_plain(x, {b}, 0, po[lane]);
        apply_plain(x, {a, b}, std::uint64_t{1} << free, pf[lane]);
        apply_plain(x, {a}, control, {1, 0, 0, pp[lane][0]});
        if (lane != 1) apply_plain(x, {b, free, a}, 0, eight);
      }
      expect_equal(states, tolerance);
    }
  }
}

template <class T>
void expect_questions(double tolerance) {
  constexpr int wires = 3;
  States<T> states(wires, 9);
  std::array<ComplexLine<T>, 16> rho;
  const int pair[] = {2, 0};
  reduced_density<T>(states.view, pair, rho, {});
  std::array<Line<T>, 2> sums;
  block_sums<T>(states.view, sums, {});
  for (std::size_t lane = 0; lane < states.lanes.size(); ++lane) {
    const Vector& x = states.lanes[lane];
    Vector want(16);
    double low = 0;
    for (std::size_t i = 0; i < 8; ++i) {
      if (i < 4) low += std::norm(x[i]);
      for (std::size_t j = 0; j < 8; ++j) {
        if (((i ^ j) & 2) != 0) continue;
        const std::size_t r = (i >> 2 & 1) | (i & 1) << 1, c = (j >> 2 & 1) | (j & 1) << 1;
        want[r * 4 + c] += x[i] * std::conj(x[j]);
      }
    }
    for (std::size_t e = 0; e < 16; ++e) EXPECT_NEAR(std::abs(rho[e].get(lane) - want[e]), 0, tolerance) << e;
    EXPECT_NEAR(static_cast<double>(sums[0].of[lane]), low, tolerance);
  }
  for (std::uint64_t flips = 0; flips < 8; ++flips) {
    for (std::uint64_t signs = 0; signs < 8; ++signs) {
      const auto found = pauli_expectation<T>(states.view, flips, signs, {});
      constexpr Complex powers[] = {1, {0, 1}, -1, {0, -1}};
      for (std::size_t lane = 0; lane < states.lanes.size(); ++lane) {
        Complex want = 0;
        for (std::size_t c = 0; c < 8; ++c)
          want += std::conj(states.lanes[lane][c ^ flips]) * powers[std::popcount(flips & signs) % 4] *
                  (std::popcount(signs & c) % 2 == 0 ? 1.0 : -1.0) * states.lanes[lane][c];
        EXPECT_NEAR(found[lane], want.real(), tolerance) << flips << " " << signs;
      }
    }
  }
}

TEST(Lanes, GatesAreTheirMatricesInEveryLaneForEveryInstructionSet) {
  testing::for_each_target([](const char* name) {
    SCOPED_TRACE(name);
    expect_gates<float>(1e-5);
    expect_gates<double>(1e-14);
  });
}

TEST(Lanes, QuestionsAreAnsweredByTheirDefinitions) {
  testing::for_each_target([](const char* name) {
    SCOPED_TRACE(name);
    expect_questions<float>(1e-5);
    expect_questions<double>(1e-14);
  });
}

TEST(Lanes, LargeStatesGiveTheSameBitsForAnyNumberOfThreads) {
  std::vector<std::array<double, kTrajectories<float>>> values;
  std::vector<std::array<ComplexLine<float>, 4>> matrices(2);
  for (const int threads : {1, 3}) {
    const base::ThreadLimit limit(threads);
    States<float> states(14, 3);
    LaneMatrix2<float> m;
    fill(m, 5);
    apply_one<float>(states.view, 13, 0, m, {});
    apply_two<float>(states.view, 2, m, 9, m, {});
    const int wire[] = {5};
    reduced_density<float>(states.view, wire, matrices[values.size()], {});
    values.push_back(pauli_expectation<float>(states.view, 3, 6, {}));
  }
  EXPECT_EQ(values[0], values[1]);
  for (std::size_t e = 0; e < 4; ++e) EXPECT_EQ(matrices[0][e].re.of, matrices[1][e].re.of);
}

}  // namespace
}  // namespace skerry::kernels
