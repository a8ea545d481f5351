#include "base/legacy_random.hpp"

#include <gtest/gtest.h>

#include <random>
#include <set>
#include <vector>

namespace skerry::base {
namespace {

TEST(LegacyRandom, DrawsWhatNumpyDrawsForASeed) {
  LegacyRandom random(42);  // numpy.random.RandomState(42).random_sample(3)
  EXPECT_EQ(random.uniform(), 0.3745401188473625);
  EXPECT_EQ(random.uniform(), 0.9507143064099162);
  EXPECT_EQ(random.uniform(), 0.7319939418114051);
  LegacyRandom normal(42);  // .standard_normal(3)
  EXPECT_DOUBLE_EQ(normal.normal(), 0.4967141530112327);
  EXPECT_DOUBLE_EQ(normal.normal(), -0.13826430117118466);
  EXPECT_DOUBLE_EQ(normal.normal(), 0.6476885381006925);
}

TEST(LegacyRandom, IsTheTwisterOfTheStandardLibrary) {
  for (const std::uint32_t seed : {0U, 1U, 5489U, 0xffffffffU}) {
    LegacyRandom random(seed);
    std::mt19937 words(seed);
    for (int i = 0; i < 2000; ++i) {  // past two refills
      const auto high = static_cast<double>(words() >> 5), low = static_cast<double>(words() >> 6);
      ASSERT_EQ(random.uniform(), (high * 67108864.0 + low) / 9007199254740992.0) << seed << " " << i;
    }
  }
}

TEST(LegacyRandom, AProbabilityIsHowOftenSomethingHappens) {
  for (const double p : {0.0, 0.03, 0.5, 0.9, 1.0}) {
    LegacyRandom random(7);
    int times = 0;
    for (int i = 0; i < 20000; ++i) times += random.bernoulli(p) ? 1 : 0;
    EXPECT_NEAR(times / 20000.0, p, 0.015) << p;
    if (p == 0.0 || p == 1.0) {
      EXPECT_EQ(times, p == 0.0 ? 0 : 20000);
    }
  }
}

TEST(RunDraws, NumbersFollowFromSeedNameAndGraphAndNothingElse) {
  const auto first = [](std::uint32_t name) { return RunDraws::of(name).uniform(); };
  std::set<double> seen;
  for (const std::uint64_t seed : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{1} << 63}) {
    const RunDraws run(seed);
    for (int graph = 0; graph < 3; ++graph) {
      const RunDraws::Entered entered;
      for (const std::uint32_t name : {1U, 2U}) {
        EXPECT_EQ(first(name), first(name));
        seen.insert(first(name));
      }
    }
  }
  EXPECT_EQ(seen.size(), 3U * 3U * 2U);
}

TEST(RunDraws, ARunBeginsAnewAndKeepsTheSeedAroundIt) {
  const auto first = [] {
    const RunDraws run;
    const RunDraws::Entered entered;
    return RunDraws::of(3).uniform();
  };
  const double unseeded = first();
  const RunDraws seeded(9);
  const double once = first();
  EXPECT_NE(once, unseeded);
  EXPECT_EQ(once, first());
  {
    const RunDraws::Entered outer, inner;
    EXPECT_EQ(once, first());
  }
  EXPECT_NE(RunDraws::of(3).uniform(), RunDraws::of(4).uniform());
}

}  // namespace
}  // namespace skerry::base
