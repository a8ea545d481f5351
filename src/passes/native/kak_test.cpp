#include "passes/native/kak.hpp"

#include <gtest/gtest.h>

#include <numbers>
#include <random>

#include "passes/native/euler.hpp"

namespace skerry::passes::native {
namespace {

constexpr double kPi = std::numbers::pi;

class Drawn {
 public:
  explicit Drawn(std::uint64_t seed) : random_(seed) {}
  double angle() { return std::uniform_real_distribution<double>(-2 * kPi, 2 * kPi)(random_); }
  std::uint64_t below(std::uint64_t n) { return random_() % n; }
  U2 one() {
    // Multiples of pi/4 every other time: Clifford and T, where angles coincide.
    const auto any = [this] { return below(2) == 0 ? angle() : static_cast<double>(below(16)) * kPi / 4; };
    return scaled(rz_matrix(any()) * ry_matrix(any()) * rz_matrix(any()), expi(any()));
  }
  // Some CX between random gates of one wire.
  U4 two(std::uint64_t cx) {
    U4 u = kron(one(), one());
    for (std::uint64_t k = 0; k < cx; ++k) {
      cx_after(u, below(2) == 0);
      u = kron(one(), one()) * u;
    }
    return u;
  }

 private:
  std::mt19937_64 random_;
};

U4 product(const std::vector<TwoWireGate>& gates) {
  U4 u = U4::identity();
  U4 from_first = U4::identity(), from_second = U4::identity();
  from_first = {{1, 0, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0, 0, 1, 0, 0}};
  from_second = {{1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0}};
  for (const TwoWireGate& gate : gates) {
    switch (gate.kind) {
      case TwoWireGate::Kind::first:
        u = kron(gate.matrix, U2::identity()) * u;
        break;
      case TwoWireGate::Kind::second:
        u = kron(U2::identity(), gate.matrix) * u;
        break;
      case TwoWireGate::Kind::cx_from_first:
        u = from_first * u;
        break;
      case TwoWireGate::Kind::cx_from_second:
        u = from_second * u;
        break;
    }
  }
  return u;
}

int cx_count(const std::vector<TwoWireGate>& gates) {
  int count = 0;
  for (const TwoWireGate& gate : gates) count += gate.kind >= TwoWireGate::Kind::cx_from_first ? 1 : 0;
  return count;
}

TEST(Euler, GivesBackEveryUnitaryPhaseIncluded) {
  Drawn draw(1);
  for (int round = 0; round < 2000; ++round) {
    const U2 u = draw.one();
    const Euler e = euler_zyz(u);
    EXPECT_LT(distance(u, scaled(rz_matrix(e.phi) * ry_matrix(e.theta) * rz_matrix(e.lambda), expi(e.phase))), 1e-13);
  }
}

TEST(Euler, GivesBackGatesThatRoundingHasMovedOffTheDiagonals) {
  Drawn draw(7);
  for (int round = 0; round < 2000; ++round) {
    const double turn = 1e-4 * static_cast<double>(draw.below(60000));
    U2 u = rz_matrix(turn) * (round % 2 == 0 ? x_matrix() : U2::identity()) * rz_matrix(1.0 + turn);
    // Noise alone, of no one phase.
    for (Complex& entry : u.m) entry += std::polar(1e-13 * static_cast<double>(draw.below(9)), 0.1 * round);
    const Euler e = euler_zyz(u);
    ASSERT_LT(distance(u, scaled(rz_matrix(e.phi) * ry_matrix(e.theta) * rz_matrix(e.lambda), expi(e.phase))), 1e-11);
  }
}

TEST(Synthesize, GivesBackEveryUnitaryPhaseIncluded) {
  Drawn draw(2);
  for (int round = 0; round < 4000; ++round) {
    U4 u = draw.two(draw.below(6));
    if (round % 2 == 0) swap_after(u);
    ASSERT_LT(distance(u, product(synthesize(u))), 1e-12) << round;
  }
}

TEST(Synthesize, NeedsNoMoreCxThanTheCircuitItComesFromAndNeverMoreThanThree) {
  Drawn draw(3);
  for (int round = 0; round < 2000; ++round) {
    const std::uint64_t cx = draw.below(6);
    EXPECT_LE(cx_count(synthesize(draw.two(cx))), std::min<int>(static_cast<int>(cx), 3));
  }
}

TEST(Synthesize, GivesBackGatesOfExactEntries) {
  U4 cx = U4::identity(), cz = cx, exchange = cx, both = cx;
  cx_after(cx, true);
  cz(3, 3) = -1;
  swap_after(exchange);
  cx_after(both, true);
  cx_after(both, false);
  for (const U4& u : {U4::identity(), cx, wires_exchanged(cx), cz, exchange, both, cx * cz, exchange * cz,
                      scaled(cx, Complex(0, 1)), scaled(exchange, -1.0), kron(x_matrix(), h_matrix())}) {
    EXPECT_LT(distance(u, product(synthesize(u))), 1e-12);
  }
}

TEST(Synthesize, KeepsItsPrecisionNextToDegenerateGates) {
  Drawn draw(4);
  for (int round = 0; round < 2000; ++round) {
    const double tiny = std::pow(10.0, -1.0 - static_cast<double>(draw.below(15)));
    const auto near = [&] { return static_cast<double>(draw.below(5)) * kPi / 8 + tiny * draw.angle(); };
    const U4 u = kron(draw.one(), draw.one()) * canonical_gate(near(), near(), near()) * kron(draw.one(), draw.one());
    // A coordinate below 1e-9 is taken for zero.
    ASSERT_LT(distance(u, product(synthesize(u))), tiny > 1e-8 ? 1e-11 : 1e-8) << round;
  }
}

TEST(CxNeeds, AgreesWithTheSynthesizedCircuitWithAndWithoutASwap) {
  Drawn draw(5);
  for (int round = 0; round < 2000; ++round) {
    const U4 u = draw.two(draw.below(5));
    U4 mirrored = u;
    swap_after(mirrored);
    const CxNeeds needs = cx_needs(u);
    EXPECT_EQ(needs.plain, cx_count(synthesize(u))) << round;
    EXPECT_EQ(needs.mirrored, cx_count(synthesize(mirrored))) << round;
  }
}

TEST(CxNeeds, KnowsTheGatesOfTheTextbook) {
  const U4 identity = U4::identity();
  EXPECT_EQ(cx_needs(identity).plain, 0);
  EXPECT_EQ(cx_needs(identity).mirrored, 3);
  U4 cx = identity;
  cx_after(cx, true);
  EXPECT_EQ(cx_needs(cx).plain, 1);
  EXPECT_EQ(cx_needs(cx).mirrored, 2);
  EXPECT_EQ(cx_needs(canonical_gate(0.3, 0, 0)).plain, 2);
  EXPECT_EQ(cx_needs(canonical_gate(0.3, 0, 0)).mirrored, 3);
  EXPECT_EQ(cx_needs(canonical_gate(0.5, 0.4, 0.3)).mirrored, 3);
}

}  // namespace
}  // namespace skerry::passes::native
