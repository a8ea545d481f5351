#include "base/memory.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <complex>
#include <cstdint>
#include <cstring>
#include <stop_token>
#include <thread>
#include <utility>
#include <vector>

#include "base/memory_usage.hpp"
#include "base/obey.hpp"
#include "base/thrown_by.hpp"

namespace skerry::base {
namespace {

TEST(MemoryBudget, RefusesWhatDoesNotFitAndChargesNothing) {
  MemoryBudget budget(1000);
  budget.charge(600, "first");
  const Error error = thrown_by([&] { budget.charge(401, "state vector"); });
  EXPECT_EQ(error.code(), ErrorCode::budget_exceeded);
  EXPECT_EQ(error.message(), "state vector needs 401 bytes, the memory limit is 1000 and 600 are in use");
  EXPECT_FALSE(error.hint().empty());
  EXPECT_EQ(budget.used(), 600u);
  budget.charge(400, "rest");
  EXPECT_EQ(budget.used(), 1000u);
  EXPECT_EQ(thrown_by([&] { budget.charge(UINT64_MAX, "all"); }).code(), ErrorCode::budget_exceeded);
}

TEST(MemoryBudget, FollowsAPlainSum) {
  EXPECT_TRUE(rc::check("used and peak are those of a running sum", [](const std::vector<std::uint16_t>& sizes) {
    constexpr std::uint64_t kLimit = 200000;
    MemoryBudget budget(kLimit);
    std::vector<std::uint64_t> held;
    std::uint64_t used = 0, peak = 0;
    for (const std::uint64_t size : sizes) {
      if (size % 3 == 0 && !held.empty()) {
        budget.release(held.back());
        used -= held.back();
        held.pop_back();
      } else if (used + size <= kLimit) {
        budget.charge(size, "piece");
        held.push_back(size);
        used += size;
        peak = std::max(peak, used);
      } else {
        RC_ASSERT_THROWS_AS(budget.charge(size, "piece"), Error);
      }
      RC_ASSERT(budget.used() == used);
      RC_ASSERT(budget.peak() == peak);
    }
  }));
}

TEST(MemoryBudget, NeverExceedsItsLimitFromManyThreads) {
  MemoryBudget budget(1000);
  std::atomic<bool> over{false};
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&, t] {
        for (int i = 0; i < 5000; ++i) {
          try {
            const Reservation held(budget, static_cast<std::uint64_t>(200 + 50 * t), "piece");
            if (budget.used() > budget.limit()) over = true;
          } catch (const Error&) {
          }
        }
      });
    }
  }
  EXPECT_FALSE(over);
  EXPECT_EQ(budget.used(), 0u);
  EXPECT_LE(budget.peak(), 1000u);
  EXPECT_GE(budget.peak(), 200u);
}

TEST(Reservation, GivesBackOnceWhateverMoves) {
  MemoryBudget budget;
  {
    Reservation first(budget, 100, "first");
    Reservation second(std::move(first));
    EXPECT_EQ(budget.used(), 100u);
    Reservation third(budget, 30, "third");
    third = std::move(second);
    EXPECT_EQ(budget.used(), 100u);
    EXPECT_EQ(third.bytes(), 100u);
    third.reset();
    third.reset();
    EXPECT_EQ(budget.used(), 0u);
  }
  EXPECT_EQ(budget.used(), 0u);
  EXPECT_EQ(budget.peak(), 130u);
}

TEST(Buffer, IsZeroedAlignedAndCharged) {
  MemoryBudget budget;
  constexpr std::uint64_t kLarge = Buffer::kLargeBytes;
  for (const std::uint64_t bytes : {std::uint64_t{1}, std::uint64_t{63}, std::uint64_t{64}, std::uint64_t{100001},
                                    kLarge - 1, kLarge, kLarge + 1, 3 * kLarge + 4097}) {
    Buffer buffer = Buffer::allocate(bytes, budget, "test");
    EXPECT_EQ(buffer.bytes(), bytes);
    EXPECT_EQ(budget.used(), bytes);
    const std::uint64_t alignment = bytes < kLarge ? 64 : std::uint64_t{2} << 20;
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(buffer.data()) % alignment, 0u);
    const auto all = buffer.as<std::byte>();
    EXPECT_TRUE(std::all_of(all.begin(), all.end(), [](std::byte b) { return b == std::byte{0}; }));
    std::fill(all.begin(), all.end(), std::byte{0xA5});  // the last byte too is ours
  }
  EXPECT_EQ(budget.used(), 0u);
}

// Memory that is kept is cleared by a loop that threads share, and such loops end when a run is to end.
TEST(Buffer, OfKeptMemoryIsClearedInARunThatIsToEnd) {
  constexpr std::uint64_t kBytes = 3 * Buffer::kLargeBytes;
  {
    Buffer first = Buffer::allocate(kBytes, MemoryBudget(), "first");
    std::ranges::fill(first.as<std::byte>(), std::byte{0xA5});
  }
  std::stop_source source;
  source.request_stop();
  const RunControl control{.stop = source.get_token()};
  const Obey obey(&control);
  const Buffer second = Buffer::allocate(kBytes, MemoryBudget(), "second");
  EXPECT_TRUE(std::ranges::all_of(second.as<std::byte>(), [](std::byte b) { return b == std::byte{0}; }));
}

TEST(Buffer, EmptyOneWorks) {
  MemoryBudget budget(0);
  Buffer buffer = Buffer::allocate(0, budget, "nothing");
  EXPECT_EQ(buffer.bytes(), 0u);
  EXPECT_TRUE(buffer.as<double>().empty());
}

TEST(Buffer, ViewsHoldWholeElements) {
  const Buffer odd = Buffer::allocate(100, MemoryBudget(), "odd");
  EXPECT_EQ(odd.as<std::complex<double>>().size(), 6u);
  EXPECT_EQ(Buffer::allocate_for<std::complex<double>>(10, MemoryBudget(), "state").bytes(), 160u);
}

TEST(Buffer, RefusesBeforeItAllocates) {
  MemoryBudget budget(std::uint64_t{1} << 30);
  const std::uint64_t before = resident_bytes();
  EXPECT_EQ(thrown_by([&] { Buffer::allocate((std::uint64_t{1} << 30) + 1, budget, "state"); }).code(),
            ErrorCode::budget_exceeded);
  EXPECT_EQ(budget.peak(), 0u);
  EXPECT_LT(resident_bytes(), before + (std::uint64_t{64} << 20));
}

TEST(Buffer, OverflowingSizesAreErrors) {
  MemoryBudget budget;
  EXPECT_EQ(thrown_by([&] { Buffer::allocate_for<double>(UINT64_MAX / 8 + 2, budget, "state"); }).code(),
            ErrorCode::limit_exceeded);
  EXPECT_EQ(thrown_by([&] { Buffer::allocate(UINT64_MAX, budget, "state"); }).code(), ErrorCode::limit_exceeded);
  // 2^61 bytes are a size, but no machine has them.
  EXPECT_EQ(thrown_by([&] { Buffer::allocate(std::uint64_t{1} << 61, budget, "state"); }).code(),
            ErrorCode::budget_exceeded);
  EXPECT_EQ(budget.used(), 0u);
}

TEST(Buffer, MovesWithItsCharge) {
  MemoryBudget budget;
  Buffer first = Buffer::allocate(1000, budget, "first");
  first.as<std::uint8_t>()[999] = 7;
  Buffer second = Buffer::allocate(Buffer::kLargeBytes, budget, "second");
  second = std::move(first);
  EXPECT_EQ(budget.used(), 1000u);
  EXPECT_EQ(second.as<std::uint8_t>()[999], 7);
  EXPECT_EQ(first.data(), nullptr);  // NOLINT(bugprone-use-after-move): this is the test
}

TEST(Buffer, OutlivesTheHandleOfItsBudget) {
  Buffer kept;
  {
    MemoryBudget budget(1000);
    kept = Buffer::allocate(1000, budget, "result");
  }
  EXPECT_EQ(kept.as<std::uint8_t>()[999], 0);
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
TEST(Buffer, LargeOneTouchesNothingBeforeItsUse) {
  const std::uint64_t before = resident_bytes();
  const std::uint64_t bytes = std::uint64_t{256} << 20;
  const Buffer buffer = Buffer::allocate(bytes, MemoryBudget(), "state");
  EXPECT_LT(resident_bytes(), before + bytes / 8);
}

TEST(Buffer, IsZeroedAgainWhenItsMemoryWasUsedBefore) {
  constexpr std::uint64_t bytes = 3 * Buffer::kLargeBytes + 100;
  for (int round = 0; round < 3; ++round) {
    Buffer buffer = Buffer::allocate(bytes, MemoryBudget{}, "test");
    ASSERT_EQ(std::ranges::count(buffer.as<std::byte>(), std::byte{0}), static_cast<std::ptrdiff_t>(bytes));
    std::memset(buffer.data(), 0xa5, bytes);
  }
}

TEST(Buffer, NothingIsKeptOfItOnceAMemoryLimitIsSet) {
  constexpr std::uint64_t bytes = std::uint64_t{64} << 20;
  const auto use_and_give_back = [](std::uint64_t limit) {
    Buffer buffer = Buffer::allocate(bytes, MemoryBudget{limit}, "test");
    std::memset(buffer.data(), 1, bytes);
  };
  use_and_give_back(2 * bytes);
  const std::uint64_t before = resident_bytes();
  use_and_give_back(2 * bytes);
  EXPECT_LT(resident_bytes(), before + bytes / 4);
  use_and_give_back(MemoryBudget::kUnlimited);
  const Buffer small = Buffer::allocate(100, MemoryBudget{1000}, "test");
  EXPECT_LT(resident_bytes(), before + bytes / 4);
}

TEST(MemoryUsage, PeakFollowsATouchedBuffer) {
  const std::uint64_t bytes = std::uint64_t{32} << 20;
  const bool anew = reset_peak();
  const std::uint64_t before = resident_bytes();
  ASSERT_GT(before, 0u);
  {
    Buffer buffer = Buffer::allocate(bytes, MemoryBudget(2 * bytes), "state");  // with a limit, nothing is kept of it
    std::fill(buffer.as<std::uint8_t>().begin(), buffer.as<std::uint8_t>().end(), std::uint8_t{1});
    EXPECT_GE(resident_bytes(), before + bytes * 9 / 10);
  }
  EXPECT_GE(peak_resident_bytes(), before + bytes * 9 / 10);
  if (!anew) GTEST_SKIP() << "this kernel does not let the peak start anew";
  ASSERT_TRUE(reset_peak());
  EXPECT_LT(peak_resident_bytes(), before + bytes / 2);
}
#endif

}  // namespace
}  // namespace skerry::base
