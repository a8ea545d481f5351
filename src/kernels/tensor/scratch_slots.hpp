/// \file
/// Working memory for the pieces of a parallel loop: as many slots as threads, taken and given back without a lock.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <thread>

namespace skerry::kernels {

/// Slots in one run's scratch memory. Which piece gets which slot is left to chance, so a slot's old contents must not
/// matter. When more pieces run than slots were planned for (the thread budget grew since), a piece waits for one.
class ScratchSlots {
 public:
  static constexpr std::size_t kMost = 64;

  /// scratch is cut into `count` equal slots; 1 <= count <= kMost.
  ScratchSlots(std::span<std::byte> scratch, std::size_t count) noexcept
      : scratch_(scratch), count_(count), free_(count == kMost ? ~std::uint64_t{0} : (std::uint64_t{1} << count) - 1) {}

  /// One slot for a scope.
  class Slot {
   public:
    explicit Slot(ScratchSlots& slots) noexcept : slots_(slots), index_(slots.take()) {}
    ~Slot() { slots_.free_.fetch_or(std::uint64_t{1} << index_, std::memory_order_release); }
    Slot(const Slot&) = delete;
    Slot& operator=(const Slot&) = delete;
    std::size_t index() const noexcept { return index_; }
    std::byte* data() const noexcept {
      return slots_.scratch_.data() + index_ * (slots_.scratch_.size() / slots_.count_);
    }

   private:
    ScratchSlots& slots_;
    std::size_t index_;
  };

 private:
  std::size_t take() noexcept {
    while (true) {
      std::uint64_t free = free_.load(std::memory_order_relaxed);
      while (free != 0) {
        if (free_.compare_exchange_weak(free, free & (free - 1), std::memory_order_acquire))
          return static_cast<std::size_t>(__builtin_ctzll(free));
      }
      std::this_thread::yield();
    }
  }

  std::span<std::byte> scratch_;
  std::size_t count_;
  std::atomic<std::uint64_t> free_;
};

}  // namespace skerry::kernels
