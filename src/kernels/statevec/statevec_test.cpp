#include <gtest/gtest.h>

#include <bit>
#include <complex>
#include <numeric>
#include <random>
#include <skerry/error.hpp>
#include <vector>

#include "base/random.hpp"
#include "base/threads.hpp"
#include "kernels/statevec/draws.hpp"
#include "kernels/statevec/gate.hpp"
#include "kernels/statevec/reduce.hpp"
#include "kernels/testing/targets.hpp"

namespace skerry::kernels {
namespace {

using Complex = std::complex<double>;
using Vector = std::vector<Complex>;

Vector random_vector(std::size_t size, std::mt19937& random) {
  std::normal_distribution<double> normal;
  Vector v(size);
  double norm = 0;
  for (auto& z : v) {
    z = {normal(random), normal(random)};
    norm += std::norm(z);
  }
  for (auto& z : v) z /= std::sqrt(norm);
  return v;
}

enum class Kind { dense, diagonal, permutation, identity, projection };

/// A matrix of some structure; the kernels do not ask that it be unitary.
Vector random_matrix(Kind kind, std::size_t rows, std::mt19937& random) {
  Vector m(rows * rows);
  const Vector v = random_vector(rows * rows, random);
  std::vector<std::size_t> order(rows);
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::shuffle(order.begin(), order.end(), random);
  for (std::size_t r = 0; r < rows; ++r) {
    switch (kind) {
      case Kind::dense:
        for (std::size_t c = 0; c < rows; ++c) m[r * rows + c] = v[r * rows + c];
        break;
      case Kind::diagonal:
        m[r * rows + r] = random() % 3 == 0 ? Complex(1) : v[r];
        break;
      case Kind::permutation:
        m[r * rows + order[r]] = random() % 2 == 0 ? Complex(1) : v[r];
        break;
      case Kind::identity:
        m[r * rows + r] = 1;
        break;
      case Kind::projection:
        m[r * rows + r] = r == 0 ? 2.0 : 0.0;
        break;
    }
  }
  return m;
}

/// The oracle: y_i = sum over j of <i|M|j> x_j, where M acts on the target bits if all control bits of j are 1.
Vector expected_of(const Vector& x, std::uint64_t controls, std::span<const int> targets, const Vector& matrix) {
  Vector y(x.size());
  const std::size_t rows = std::size_t{1} << targets.size();
  for (std::size_t j = 0; j < x.size(); ++j) {
    if ((j & controls) != controls) {
      y[j] += x[j];
      continue;
    }
    std::size_t column = 0;
    for (std::size_t t = 0; t < targets.size(); ++t) column |= (j >> targets[t] & 1) << t;
    for (std::size_t row = 0; row < rows; ++row) {
      std::size_t i = j;
      for (std::size_t t = 0; t < targets.size(); ++t)
        i = (i & ~(std::size_t{1} << targets[t])) | ((row >> t & 1) << targets[t]);
      y[i] += matrix[row * rows + column] * x[j];
    }
  }
  return y;
}

template <class T>
std::vector<std::complex<T>> narrow(const Vector& v) {
  std::vector<std::complex<T>> out;
  for (const auto& z : v) out.emplace_back(z);
  return out;
}

template <class T>
double distance(const std::vector<std::complex<T>>& a, const Vector& b) {
  double largest = 0;
  for (std::size_t i = 0; i < a.size(); ++i) largest = std::max(largest, std::abs(Complex(a[i]) - b[i]));
  return largest;
}

template <class T>
class Statevec : public ::testing::Test {
 public:
  /// A sum of up to 16 products of numbers below 1, rounded 16 times.
  static constexpr double kTolerance = 32 * static_cast<double>(std::numeric_limits<T>::epsilon());
};
using Precisions = ::testing::Types<float, double>;
TYPED_TEST_SUITE(Statevec, Precisions);

/// One random placement: targets (all distinct) and a control mask.
struct Placement {
  std::vector<int> targets;
  std::uint64_t controls = 0;
};
Placement random_placement(int wires, int targets, int controls, std::mt19937& random) {
  std::vector<int> order(static_cast<std::size_t>(wires));
  std::iota(order.begin(), order.end(), 0);
  std::shuffle(order.begin(), order.end(), random);
  Placement p;
  p.targets.assign(order.begin(), order.begin() + targets);
  for (int c = 0; c < controls; ++c)
    p.controls |= std::uint64_t{1} << order[static_cast<std::size_t>(targets) + static_cast<std::size_t>(c)];
  return p;
}

TYPED_TEST(Statevec, GatesEqualTheDenseOracle) {
  std::mt19937 random(3);
  for (int wires = 1; wires <= 9; ++wires) {
    for (int round = 0; round < 60; ++round) {
      const int targets = static_cast<int>(random() % static_cast<unsigned>(std::min(wires, 4) + 1));
      const int controls = static_cast<int>(random() % static_cast<unsigned>(wires - targets + 1));
      const Placement p = random_placement(wires, targets, controls, random);
      const Vector x = random_vector(std::size_t{1} << wires, random);
      for (Kind kind : {Kind::dense, Kind::diagonal, Kind::permutation, Kind::identity, Kind::projection}) {
        const Vector matrix = random_matrix(kind, std::size_t{1} << targets, random);
        auto state = narrow<TypeParam>(x);
        Gate<TypeParam>(wires, p.controls, p.targets, matrix).apply({state.data(), wires}, {});
        EXPECT_LT(distance(state, expected_of(x, p.controls, p.targets, matrix)), this->kTolerance)
            << wires << " wires, kind " << static_cast<int>(kind) << ", " << targets << " targets, controls "
            << p.controls;
      }
    }
  }
}

TYPED_TEST(Statevec, OneTargetGatesEqualTheOracleOnEveryWireWithEveryControl) {
  std::mt19937 random(4);
  constexpr int kWires = 7;
  const Vector x = random_vector(std::size_t{1} << kWires, random);
  for (int target = 0; target < kWires; ++target) {
    for (std::uint64_t controls = 0; controls < 1U << kWires; ++controls) {
      if ((controls >> target & 1) != 0) continue;
      for (Kind kind : {Kind::dense, Kind::diagonal, Kind::permutation}) {
        const Vector matrix = random_matrix(kind, 2, random);
        auto state = narrow<TypeParam>(x);
        const int targets[] = {target};
        Gate<TypeParam>(kWires, controls, targets, matrix).apply({state.data(), kWires}, {});
        ASSERT_LT(distance(state, expected_of(x, controls, targets, matrix)), this->kTolerance);
      }
    }
  }
}

TYPED_TEST(Statevec, AllKernelsAgreeWithTheReference) {
  std::mt19937 random(5);
  constexpr int kWires = 11;
  for (int round = 0; round < 200; ++round) {
    const int targets = 1 + static_cast<int>(random() % 7);
    const Placement p = random_placement(kWires, targets, static_cast<int>(random() % 4), random);
    const Groups groups(kWires, p.controls, p.targets);
    const auto x = narrow<TypeParam>(random_vector(std::size_t{1} << kWires, random));
    const auto dense = narrow<TypeParam>(random_matrix(Kind::dense, groups.offsets().size(), random));
    std::vector<std::uint32_t> sources(groups.offsets().size());
    std::iota(sources.begin(), sources.end(), 0U);
    std::shuffle(sources.begin(), sources.end(), random);
    const std::span factors = std::span(dense).first(sources.size());
    const std::size_t end = groups.count();
    const std::size_t begin = end > kGroupAlignment ? kGroupAlignment : 0;  // not from the start: runs are cut
    std::vector<std::vector<std::complex<TypeParam>>> results;
    for (const Kernels<TypeParam>* set : all_kernels<TypeParam>()) {
      auto state = x;
      const StateView<TypeParam> view{state.data(), kWires};
      set->dense(view, groups, dense, begin, end);
      set->diagonal(view, groups, factors, begin, end);
      set->permute(view, groups, sources, factors, begin, end);
      results.push_back(std::move(state));
    }
    for (std::size_t i = 0; i < results[0].size(); ++i)
      ASSERT_LT(std::abs(results[0][i] - results[1][i]), 4 * this->kTolerance) << "round " << round;
  }
}

TYPED_TEST(Statevec, EveryVectorUnitAndNoneEqualTheOracle) {
  testing::for_each_target([&](const char* target) {
    std::mt19937 random(6);
    const Vector x = {0, 1, 1, 0}, z = {1, 0, 0, -1};
    for (int wires = 1; wires <= 6; ++wires) {
      for (int round = 0; round < 20; ++round) {
        const int targets = static_cast<int>(random() % static_cast<unsigned>(std::min(wires, 3) + 1));
        const int controls = static_cast<int>(random() % static_cast<unsigned>(wires - targets + 1));
        const Placement p = random_placement(wires, targets, controls, random);
        const Vector psi = random_vector(std::size_t{1} << wires, random);
        for (Kind kind : {Kind::dense, Kind::diagonal, Kind::permutation}) {
          const Vector matrix = random_matrix(kind, std::size_t{1} << targets, random);
          auto state = narrow<TypeParam>(psi);
          Gate<TypeParam>(wires, p.controls, p.targets, matrix).apply({state.data(), wires}, {});
          ASSERT_LT(distance(state, expected_of(psi, p.controls, p.targets, matrix)), this->kTolerance) << target;
        }
        const auto state = narrow<TypeParam>(psi);
        const int flipped[] = {static_cast<int>(random() % static_cast<unsigned>(wires))};
        const int signed_by[] = {(flipped[0] + 1) % wires};
        const bool both = wires > 1;
        const std::vector<PauliMasks> strings = {
            {std::uint64_t{1} << flipped[0], both ? std::uint64_t{1} << signed_by[0] : 0}};
        Vector moved = expected_of(psi, 0, flipped, x);
        if (both) moved = expected_of(moved, 0, signed_by, z);
        Complex expected = 0;
        for (std::size_t i = 0; i < psi.size(); ++i) expected += std::conj(psi[i]) * moved[i];
        ASSERT_NEAR(pauli_expectations<TypeParam>({state.data(), wires}, strings, {})[0], expected.real(),
                    this->kTolerance)
            << target;
      }
    }
  });
}

TYPED_TEST(Statevec, ThreadsDoNotChangeABit) {
  std::mt19937 random(6);
  constexpr int kWires = 17;
  const auto x = narrow<TypeParam>(random_vector(std::size_t{1} << kWires, random));
  std::vector<std::vector<std::complex<TypeParam>>> states;
  std::vector<std::vector<double>> answers;
  for (int threads : {1, 2, 4}) {
    base::set_thread_budget(threads);
    std::mt19937 same(8);
    auto state = x;
    const StateView<TypeParam> view{state.data(), kWires};
    for (int round = 0; round < 20; ++round) {
      const Placement p = random_placement(kWires, 1 + round % 3, round % 2, same);
      const Vector matrix =
          random_matrix(round % 4 == 0 ? Kind::permutation : Kind::dense, std::size_t{1} << p.targets.size(), same);
      Gate<TypeParam>(kWires, p.controls, p.targets, matrix).apply(view, {});
    }
    const PauliMasks strings[] = {{0, 5}, {0, 1 << 16}, {3, 6}};
    auto values = pauli_expectations<TypeParam>(view, strings, {});
    values.push_back(squared_norm<TypeParam>(view, {}));
    values.push_back(wire_probabilities<TypeParam>(view, 9, {})[1]);
    std::vector<double> table(8);
    const int wires[] = {2, 16, 0};
    add_probabilities<TypeParam>(view, wires, 1.0, table, {});
    values.insert(values.end(), table.begin(), table.end());
    answers.push_back(values);
    states.push_back(std::move(state));
  }
  base::set_thread_budget(0);
  EXPECT_EQ(states[0], states[1]);
  EXPECT_EQ(states[0], states[2]);
  EXPECT_EQ(answers[0], answers[1]);
  EXPECT_EQ(answers[0], answers[2]);
}

TYPED_TEST(Statevec, ProbabilitiesEqualTheirDefinition) {
  std::mt19937 random(9);
  for (int wires : {1, 3, 8, 12, 19}) {
    const Vector exact = random_vector(std::size_t{1} << wires, random);
    const auto x = narrow<TypeParam>(exact);
    const ConstStateView<TypeParam> view(x.data(), wires);
    // The oracle adds one number after the other, each rounded to the sum so far.
    const double tolerance =
        this->kTolerance + static_cast<double>(exact.size()) * std::numeric_limits<double>::epsilon();
    EXPECT_NEAR(squared_norm(view, {}), 1.0, tolerance);
    for (int count = 0; count <= std::min(wires, 12); ++count) {
      const Placement p = random_placement(wires, count, 0, random);
      std::vector<double> table(std::size_t{1} << count), expected(std::size_t{1} << count);
      add_probabilities(view, p.targets, 0.5, table, {});
      for (std::size_t i = 0; i < exact.size(); ++i) {
        std::size_t outcome = 0;
        for (std::size_t t = 0; t < p.targets.size(); ++t) outcome |= (i >> p.targets[t] & 1) << t;
        expected[outcome] += 0.5 * std::norm(exact[i]);
      }
      for (std::size_t i = 0; i < table.size(); ++i) ASSERT_NEAR(table[i], expected[i], tolerance);
      if (count == 1) {
        const auto p01 = wire_probabilities(view, p.targets[0], {});
        EXPECT_NEAR(p01[0], 2 * expected[0], tolerance);
        EXPECT_NEAR(p01[1], 2 * expected[1], tolerance);
      }
    }
  }
}

TYPED_TEST(Statevec, PauliExpectationsEqualTheDenseOracle) {
  std::mt19937 random(10);
  const Vector x = {0, 1, 1, 0}, y = {0, Complex(0, -1), Complex(0, 1), 0}, z = {1, 0, 0, -1};
  for (int wires : {1, 2, 5, 8}) {
    const Vector psi = random_vector(std::size_t{1} << wires, random);
    const auto state = narrow<TypeParam>(psi);
    std::vector<PauliMasks> strings;
    for (int i = 0; i < 40; ++i) {
      const std::uint64_t all = (std::uint64_t{1} << wires) - 1;
      strings.push_back({i % 3 == 0 ? 0 : random() & all, random() & all});
    }
    const auto values = pauli_expectations<TypeParam>({state.data(), wires}, strings, {});
    for (std::size_t s = 0; s < strings.size(); ++s) {
      Vector moved = psi;
      for (int wire = 0; wire < wires; ++wire) {
        const int targets[] = {wire};
        const bool has_x = (strings[s].x >> wire & 1) != 0, has_z = (strings[s].z >> wire & 1) != 0;
        if (has_x || has_z) moved = expected_of(moved, 0, targets, has_x && has_z ? y : has_x ? x : z);
      }
      Complex expected = 0;
      for (std::size_t i = 0; i < psi.size(); ++i) expected += std::conj(psi[i]) * moved[i];
      EXPECT_NEAR(values[s], expected.real(), this->kTolerance);
    }
  }
}

TYPED_TEST(Statevec, SamplerInvertsTheCumulativeDistribution) {
  std::mt19937 random(11);
  for (int wires : {0, 1, 4, 10, 14, 23}) {
    Vector exact = random_vector(std::size_t{1} << wires, random);
    for (std::size_t i = 0; i + 1 < exact.size(); i += 3) exact[i] = 0;
    const auto x = narrow<TypeParam>(exact);
    const Sampler<TypeParam> sampler({x.data(), wires}, base::MemoryBudget{}, {});
    std::vector<double> cumulative;
    double total = 0;
    for (const auto& z : x) cumulative.push_back(total += std::norm(Complex(z)));
    for (int i = 0; i < 2000; ++i) {
      const double u = i == 0 ? 0.0 : i == 1 ? 1 - 0x1p-53 : static_cast<double>(random()) * 0x1p-32;
      const std::uint64_t drawn = sampler.draw(u);
      ASSERT_LT(drawn, exact.size());
      ASSERT_NE(exact[drawn], 0.0);
      const double below = drawn == 0 ? 0.0 : cumulative[drawn - 1];
      EXPECT_GE(u * total, below - 1e-12);
      EXPECT_LE(u * total, cumulative[drawn] + 1e-12);
    }
  }
}

TEST(ShotUniforms, AreThoseOfTheGenerator) {
  testing::for_each_target([](const char* target) {
    std::mt19937_64 random(12);
    for (const std::size_t count : {0U, 1U, 7U, 8U, 33U}) {
      const std::uint64_t seed = random(), position = 2 * (random() % 1000);
      std::vector<std::uint64_t> shots(count);
      for (std::uint64_t& shot : shots) shot = random();
      std::vector<double> uniforms(count);
      shot_uniforms(seed, shots, position, uniforms);
      for (std::size_t i = 0; i < count; ++i) {
        base::Philox philox(seed, shots[i]);
        philox.seek(position);
        EXPECT_EQ(uniforms[i], philox.uniform()) << target;
      }
    }
  });
}

TEST(Gate, FindsTheCheapestAction) {
  const int one[] = {1};
  const int two[] = {0, 2};
  const Vector x = {0, 1, 1, 0}, z = {1, 0, 0, -1}, id = {1, 0, 0, 1}, h = {0.6, 0.8, 0.8, -0.6};
  const Vector swap = {1, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1};
  EXPECT_EQ(Gate<double>(4, 0, one, x).action(), Action::permute);
  EXPECT_EQ(Gate<double>(4, 0, one, z).action(), Action::diagonal);
  EXPECT_EQ(Gate<double>(4, 0, one, id).action(), Action::none);
  EXPECT_EQ(Gate<double>(4, 0, one, h).action(), Action::dense);
  EXPECT_EQ(Gate<double>(4, 0, two, swap).action(), Action::permute);
}

TEST(Gate, StopsWhenAsked) {
  std::stop_source source;
  source.request_stop();
  Vector state(4);
  const int one[] = {1};
  const Vector h = {0.6, 0.8, 0.8, -0.6};
  RunControl control;
  control.stop = source.get_token();
  EXPECT_THROW(Gate<double>(2, 0, one, h).apply({state.data(), 2}, control), Error);
}

}  // namespace
}  // namespace skerry::kernels
