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

/// The most bytes alive at one step, each buffer rounded up to 64: what no layout can go below.
std::uint64_t most_alive(const std::vector<Lifetime>& lifetimes) {
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
  const std::uint64_t bound = most_alive(lifetimes);
  RC_ASSERT(layout.bytes >= bound);
  RC_ASSERT(layout.bytes <= 2 * bound);
}

TEST(LayOut, OfAChainNeedsTwoBuffersOnly) {
  std::vector<Lifetime> chain;
  for (std::size_t step = 0; step < 20; ++step) chain.push_back({1024, step, step + 1});
  EXPECT_EQ(lay_out(chain).bytes, 2048U);
}

TEST(LayOut, OfNothingIsNothing) {
  EXPECT_EQ(lay_out({}).bytes, 0U);
}

}  // namespace
}  // namespace skerry::planning
