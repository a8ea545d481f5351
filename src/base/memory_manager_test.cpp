#include <gtest/gtest.h>

#include <atomic>
#include <cstring>
#include <map>
#include <random>
#include <skerry/memory.hpp>
#include <thread>

#include "base/account.hpp"
#include "base/memory_usage.hpp"
#include "base/thrown_by.hpp"

namespace skerry {
namespace {

using base::Buffer;
using base::MemoryBudget;
using base::thrown_by;

constexpr std::uint64_t kMegabyte = 1 << 20;

Buffer buffer_of(std::uint64_t bytes) {
  return Buffer::allocate(bytes, MemoryBudget(), "test");
}

// Takes from the system and writes down what it was asked for.
class CountingAllocator final : public MemoryAllocator {
 public:
  std::byte* allocate(std::uint64_t bytes) override {
    taken += bytes;
    live += bytes;
    return static_cast<std::byte*>(std::aligned_alloc(64, (bytes + 63) / 64 * 64));
  }
  void deallocate(std::byte* block, std::uint64_t bytes) noexcept override {
    live -= bytes;
    std::free(block);
  }
  std::atomic<std::uint64_t> taken{0}, live{0};
};

TEST(MemoryManager, CountsWhatLivesByTagAndInAll) {
  const MemoryManager memory;
  std::vector<Buffer> held;
  std::map<std::string, std::uint64_t> expected;
  {
    const MemoryScope first(memory, "first");
    held.push_back(buffer_of(1000));
    {
      const MemoryScope inner(memory, "second");
      held.push_back(buffer_of(5 * kMegabyte));
      held.push_back(buffer_of(64));
    }
    held.push_back(buffer_of(200));
  }
  held.push_back(buffer_of(777));  // outside: nobody's
  MemoryUsage usage = memory.usage();
  ASSERT_EQ(usage.tags.size(), 2U);
  EXPECT_EQ(usage.tags[0].tag, "first");
  EXPECT_EQ(usage.tags[0].used, 1200U);
  EXPECT_EQ(usage.tags[1].used, 5 * kMegabyte + 64);
  EXPECT_EQ(usage.used, 5 * kMegabyte + 1264);
  EXPECT_EQ(usage.allocations, 4U);
  held.clear();
  usage = memory.usage();
  EXPECT_EQ(usage.used, 0U);
  EXPECT_EQ(usage.peak, 5 * kMegabyte + 1264);
}

TEST(MemoryManager, RefusesBeyondItsLimitAndKeepsItsBooks) {
  const MemoryManager memory(10 * kMegabyte);
  const MemoryScope scope(memory, "model");
  const Buffer first = buffer_of(6 * kMegabyte);
  EXPECT_EQ(thrown_by([] { buffer_of(5 * kMegabyte); }).code(), ErrorCode::budget_exceeded);
  EXPECT_EQ(memory.used(), 6 * kMegabyte);
  EXPECT_EQ(memory.usage().peak, 6 * kMegabyte);
  EXPECT_EQ(memory.usage().tags[0].used, 6 * kMegabyte);
  // The budget of a run that is larger than its manager's knows it.
  EXPECT_EQ(MemoryBudget(50 * kMegabyte).limit(), 10 * kMegabyte);
}

TEST(MemoryManager, AsksForReliefBeforeItRefuses) {
  MemoryManager memory(10 * kMegabyte);
  const MemoryScope scope(memory, "cache");
  std::vector<Buffer> cache;
  std::vector<std::uint64_t> told;
  const auto half = memory.on_pressure(0.5, [&](std::uint64_t used, std::uint64_t limit) {
    EXPECT_EQ(limit, 10 * kMegabyte);
    told.push_back(used);
  });
  cache.push_back(buffer_of(4 * kMegabyte));
  EXPECT_TRUE(told.empty());
  cache.push_back(buffer_of(2 * kMegabyte));
  EXPECT_EQ(told, std::vector<std::uint64_t>{6 * kMegabyte});
  memory.remove_pressure(half);
  memory.on_pressure(1.0, [&](std::uint64_t, std::uint64_t) { cache.clear(); });
  const Buffer large = buffer_of(9 * kMegabyte);
  EXPECT_EQ(memory.used(), 9 * kMegabyte);
  EXPECT_EQ(told.size(), 1U);
  EXPECT_EQ(thrown_by([&] { memory.on_pressure(0.0, {}); }).code(), ErrorCode::invalid_argument);
}

TEST(MemoryManager, AgreesWithResidentMemory) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "a sanitizer has memory of its own";
#endif
  const MemoryManager memory;
  const Buffer other = buffer_of(7 * kMegabyte);  // so that nothing of earlier tests is kept for reuse
  const std::uint64_t before = base::resident_bytes();
  const MemoryScope scope(memory, "pages");
  std::vector<Buffer> held;
  for (int i = 0; i < 16; ++i) {
    held.push_back(buffer_of(5 * kMegabyte));
    std::memset(held.back().data(), 1, held.back().bytes());
  }
  const auto rise = static_cast<double>(base::resident_bytes() - before);
  EXPECT_NEAR(rise / static_cast<double>(memory.used()), 1.0, 0.05);
}

TEST(MemoryAllocator, OfTheUserSeesEveryByteOfBuffersAndBlocks) {
  const auto counting = std::make_shared<CountingAllocator>();
  const MemoryManager memory(MemoryBudget::kUnlimited, counting);
  {
    const MemoryScope scope(memory, "all");
    const Buffer small = buffer_of(100), large = buffer_of(9 * kMegabyte);
    const auto block = base::shared_block(12345);
    EXPECT_EQ(counting->live, 100 + 9 * kMegabyte + 12345);
    EXPECT_EQ(counting->live, memory.used());
    EXPECT_EQ(small.data()[99], std::byte{0});
    EXPECT_EQ(large.data()[9 * kMegabyte - 1], std::byte{0});
  }
  EXPECT_EQ(counting->live, 0U);
  EXPECT_EQ(counting->taken, 100 + 9 * kMegabyte + 12345);
}

TEST(MemoryAllocator, ThatHasNoMoreOrNotAlignedIsToldAsAnError) {
  class Broken final : public MemoryAllocator {
   public:
    std::byte* allocate(std::uint64_t bytes) override { return bytes > 100 ? nullptr : bytes_.data() + 1; }
    void deallocate(std::byte*, std::uint64_t) noexcept override {}
    alignas(64) std::array<std::byte, 256> bytes_{};
  };
  const MemoryManager memory(MemoryBudget::kUnlimited, std::make_shared<Broken>());
  const MemoryScope scope(memory, "broken");
  EXPECT_EQ(thrown_by([] { buffer_of(1000); }).code(), ErrorCode::budget_exceeded);
  EXPECT_EQ(thrown_by([] { buffer_of(10); }).code(), ErrorCode::invalid_argument);
  EXPECT_EQ(thrown_by([] { base::shared_block(1000); }).code(), ErrorCode::budget_exceeded);
  EXPECT_EQ(memory.used(), 0U);
}

TEST(MemoryPool, HasClassesThatHoldWhatIsAskedAndLittleMore) {
  std::uint64_t last = 0;
  for (std::uint64_t bytes = 1; bytes < (1 << 16); ++bytes) {
    const std::uint64_t size = MemoryPool::class_bytes(bytes);
    ASSERT_GE(size, bytes);
    ASSERT_EQ(size % 64, 0U);
    ASSERT_GE(size, last);
    ASSERT_EQ(MemoryPool::class_bytes(size), size);
    if (bytes > 256) {
      ASSERT_LE(4 * size, 5 * bytes);
    }
    last = size;
  }
  EXPECT_EQ(MemoryPool::class_bytes(std::uint64_t{1} << 40), std::uint64_t{1} << 40);
}

TEST(MemoryPool, GivesTheSameBlockAgainAndKeepsNoMoreThanItMay) {
  MemoryPool pool(1000);
  std::byte* const first = pool.allocate(300);
  pool.deallocate(first, 300);
  EXPECT_EQ(pool.allocate(310), first);  // 257 to 320 bytes are one class
  std::byte* const second = pool.allocate(900);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(second) % 64, 0U);
  pool.deallocate(second, 900);
  pool.deallocate(first, 310);  // 1024 + 320 are more than 1000: one of them left
  EXPECT_EQ(pool.statistics().kept_bytes, 320U);
  EXPECT_EQ(pool.statistics().lent_bytes, 0U);
  EXPECT_EQ(pool.statistics().hits, 1U);
  EXPECT_EQ(pool.statistics().misses, 2U);
  pool.trim();
  EXPECT_EQ(pool.statistics().kept_bytes, 0U);
  EXPECT_EQ(pool.allocate(std::uint64_t{1} << 60), nullptr);
}

TEST(MemoryPool, ServesEightThreadsWithoutGivingABlockTwice) {
  const auto counting = std::make_shared<CountingAllocator>();
  {
    MemoryPool pool(64 * kMegabyte, counting);
    std::atomic<int> wrong{0};
    std::vector<std::jthread> threads;
    for (unsigned thread = 0; thread < 8; ++thread) {
      threads.emplace_back([&, thread] {
        std::mt19937 random(thread);
        std::vector<std::pair<std::byte*, std::uint64_t>> mine;
        for (int round = 0; round < 2000; ++round) {
          if (mine.size() > 16 || (!mine.empty() && random() % 2 == 0)) {
            const auto [block, bytes] = mine[random() % mine.size()];
            std::erase(mine, std::pair(block, bytes));
            // Whoever else had this block would have written another number.
            for (const std::size_t at : {std::size_t{0}, static_cast<std::size_t>(bytes) - 1})
              if (block[at] != static_cast<std::byte>(thread)) ++wrong;
            pool.deallocate(block, bytes);
          } else {
            const std::uint64_t bytes = 1 + random() % 5000;
            std::byte* const block = pool.allocate(bytes);
            if (reinterpret_cast<std::uintptr_t>(block) % 64 != 0) ++wrong;
            std::memset(block, static_cast<int>(thread), bytes);
            mine.emplace_back(block, bytes);
          }
        }
        for (const auto& [block, bytes] : mine) pool.deallocate(block, bytes);
      });
    }
    threads.clear();
    EXPECT_EQ(wrong, 0);
    EXPECT_EQ(pool.statistics().lent_bytes, 0U);
    EXPECT_EQ(pool.statistics().kept_bytes, counting->live);
  }
  EXPECT_EQ(counting->live, 0U);
}

TEST(MemoryKind, ThatTheMachineLacksSaysWhy) {
  EXPECT_NE(memory_allocator(MemoryKind::system), nullptr);
  EXPECT_NE(memory_allocator(MemoryKind::pool), nullptr);
  EXPECT_EQ(thrown_by([] { memory_allocator(MemoryKind::device); }).code(), ErrorCode::unsupported);
  try {
    const MemoryManager memory(MemoryBudget::kUnlimited, memory_allocator(MemoryKind::unified));
    const MemoryScope scope(memory, "unified");
    Buffer buffer = buffer_of(kMegabyte);
    buffer.data()[kMegabyte - 1] = std::byte{7};
    EXPECT_EQ(buffer.data()[kMegabyte - 1], std::byte{7});
    EXPECT_EQ(buffer.data()[0], std::byte{0});
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::unavailable);
    EXPECT_NE(error.message().find("no unified memory"), std::string::npos);
  }
}

}  // namespace
}  // namespace skerry
