#include "base/random.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <cmath>
#include <cstdint>
#include <vector>

namespace skerry::base {
namespace {

// Random123 1.14, tests/kat_vectors, lines "philox4x32 10"; the third uses digits of pi.
TEST(Philox, GivesTheKnownAnswers) {
  EXPECT_EQ(Philox::block({0, 0, 0, 0}, {0, 0}), (Philox::Counter{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(Philox::block({0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, {0xffffffff, 0xffffffff}),
            (Philox::Counter{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(Philox::block({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (Philox::Counter{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Philox, SeedIsTheKeyAndStreamTheUpperCounter) {
  Philox random(0x299f31d0a4093822, 0x0370734413198a2e);
  random.seek(4 * std::uint64_t{0x85a308d3243f6a8});  // any block below 2^62
  const Philox::Counter expected =
      Philox::block({0x3243f6a8, 0x085a308d, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0});
  for (const std::uint32_t word : expected) EXPECT_EQ(random(), word);
}

TEST(Philox, AnyDrawIsReachedDirectly) {
  EXPECT_TRUE(rc::check("seek(n) then draw is draw n of a run", [](std::uint64_t seed, std::uint64_t stream) {
    Philox run(seed, stream);
    for (std::uint64_t n = 0; n < 37; ++n) {
      Philox direct(seed, stream);
      direct.seek(n);
      RC_ASSERT(direct.position() == n);
      RC_ASSERT(direct() == run());
      RC_ASSERT(direct.position() == n + 1);
    }
    run.seek(5);
    Philox other(seed, stream);
    other.seek(5);
    RC_ASSERT(run() == other());
  }));
}

TEST(Philox, UniformTakesTwoDrawsAndFiftyThreeBits) {
  Philox words(7), numbers(7);
  for (int i = 0; i < 100; ++i) {
    const std::uint64_t low = words(), high = words();
    const std::uint64_t bits = (high << 32 | low) >> 11;
    EXPECT_EQ(numbers.uniform(), std::ldexp(static_cast<double>(bits), -53));
  }
  EXPECT_EQ(numbers.position(), 200u);
}

TEST(Philox, UniformIsFlat) {
  // Chi-square over 100 bins: 99 degrees of freedom, mean 99, deviation sqrt(198); six deviations are 183.5.
  Philox random(12345, 6);
  std::vector<int> bins(100);
  constexpr int kDraws = 200000;
  double sum = 0;
  for (int i = 0; i < kDraws; ++i) {
    const double number = random.uniform();
    ASSERT_GE(number, 0);
    ASSERT_LT(number, 1);
    ++bins[static_cast<std::size_t>(number * 100)];
    sum += number;
  }
  double chi_square = 0;
  for (const int count : bins) chi_square += std::pow(count - kDraws / 100, 2) / (kDraws / 100.0);
  EXPECT_LT(chi_square, 183.5);
  EXPECT_NEAR(sum / kDraws, 0.5, 6 / std::sqrt(12.0 * kDraws));
}

TEST(Philox, StreamsAndSeedsDiffer) {
  EXPECT_NE(Philox(1, 0)(), Philox(1, 1)());
  EXPECT_NE(Philox(1, 0)(), Philox(2, 0)());
  EXPECT_NE(Philox(std::uint64_t{1} << 32)(), Philox(0)());
}

}  // namespace
}  // namespace skerry::base
