#include "plan/arena.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace skerry::planning {
namespace {

std::vector<Lifetime> random_lifetimes() {
  const auto raw = *rc::gen::container<std::vector<std::tuple<std::uint32_t, std::size_t, std::size_t>>>(
      rc::gen::tuple(rc::gen::inRange<std::uint32_t>(0, 5000), rc::gen::inRange<std::size_t>(0, 30),
                     rc::gen::inRange<std::size_t>(0, 8)));
  std::vector<Lifetime> lifetimes;
  for (const auto& [bytes, first, length] : raw) lifetimes.push_back({bytes, first, first + length});
  return lifetimes;
}

RC_GTEST_PROP(LayOut, NeverLetsBuffersThatLiveTogetherOverlap, ()) {
  const auto lifetimes = random_lifetimes();
  const auto layout = lay_out(lifetimes);
  for (std::size_t a = 0; a < lifetimes.size(); ++a) {
    RC_ASSERT(layout.offsets[a] % 64 == 0);
    RC_ASSERT(layout.offsets[a] + lifetimes[a].bytes <= layout.bytes);
    for (std::size_t b = a + 1; b < lifetimes.size(); ++b) {
      const bool together = lifetimes[a].first <= lifetimes[b].last && lifetimes[b].first <= lifetimes[a].last;
      if (!together || lifetimes[a].bytes == 0 || lifetimes[b].bytes == 0) continue;
      RC_ASSERT(layout.offsets[a] + lifetimes[a].bytes <= layout.offsets[b] ||
                layout.offsets[b] + lifetimes[b].bytes <= layout.offsets[a]);
    }
  }
}

/// The most bytes alive at one step, step by step.
std::uint64_t alive_at_once(const std::vector<Lifetime>& lifetimes) {
  std::uint64_t most = 0;
  for (std::size_t step = 0; step < 40; ++step) {
    std::uint64_t alive = 0;
    for (const Lifetime& one : lifetimes)
      if (one.first <= step && step <= one.last) alive += (one.bytes + 63) / 64 * 64;
    most = std::max(most, alive);
  }
  return most;
}

RC_GTEST_PROP(LayOut, IsNeverBelowTheBoundAndFarBelowTheSum, ()) {
  const auto lifetimes = random_lifetimes();
  const auto layout = lay_out(lifetimes);
  const std::uint64_t bound = alive_at_once(lifetimes);
  RC_ASSERT(most_alive(lifetimes) == bound);
  RC_ASSERT(layout.bytes >= bound);
  RC_ASSERT(layout.bytes <= 2 * bound);
}

TEST(LayOut, OfAChainNeedsTwoBuffersOnly) {
  std::vector<Lifetime> chain;
  for (std::size_t step = 0; step < 20; ++step) chain.push_back({1024, step, step + 1});
  EXPECT_EQ(lay_out(chain).bytes, 2048U);
}

RC_GTEST_PROP(LayOut, KeepsBuffersApartWhereThatCostsNoTenth, ()) {
  auto lifetimes = random_lifetimes();
  for (Lifetime& one : lifetimes) one.bytes *= 20;
  const auto layout = lay_out_apart(lifetimes);
  std::uint64_t nearest = layout.bytes;
  for (std::size_t a = 0; a < lifetimes.size(); ++a) {
    for (std::size_t b = 0; b < lifetimes.size(); ++b) {
      const bool together = lifetimes[a].first <= lifetimes[b].last && lifetimes[b].first <= lifetimes[a].last;
      if (a == b || !together || lifetimes[a].bytes == 0 || lifetimes[b].bytes == 0) continue;
      if (layout.offsets[a] > layout.offsets[b]) continue;
      RC_ASSERT(layout.offsets[a] + lifetimes[a].bytes <= layout.offsets[b]);
      nearest = std::min(nearest, layout.offsets[b] - layout.offsets[a] - lifetimes[a].bytes);
    }
  }
  const std::uint64_t bound = alive_at_once(lifetimes);
  RC_ASSERT((nearest >= 1024 && layout.bytes <= bound + bound / 10) || layout.bytes == lay_out(lifetimes).bytes);
}

TEST(LayOut, OfTwoEqualBuffersKeepsThemApart) {
  const std::vector<Lifetime> small{{32'000, 0, 1}, {32'000, 1, 2}, {32'000, 2, 3}};
  const auto near = lay_out_apart(small);
  EXPECT_EQ(near.offsets[1], 32'000U + 6400);
  EXPECT_EQ(near.bytes, 70'400U);
  const std::vector<Lifetime> large{{1'000'000, 0, 1}, {1'000'000, 1, 2}};
  EXPECT_EQ(lay_out_apart(large).bytes, 2'000'000U + 9216);
}

TEST(LayOut, OfNothingIsNothing) {
  EXPECT_EQ(lay_out({}).bytes, 0U);
  EXPECT_EQ(lay_out_apart({}).bytes, 0U);
}

}  // namespace
}  // namespace skerry::planning
