#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <mutex>
#include <skerry/memory.hpp>
#include <vector>

#include "base/memory_manager.hpp"

namespace skerry {
namespace {

constexpr std::uint64_t kSmallest = 64;
constexpr std::uint64_t kSteps = 4;    // classes from one power of two to the next
constexpr std::size_t kClasses = 200;  // 64 bytes to 2^55

std::uint64_t bytes_of_class(std::size_t index) noexcept {
  if (index < kSteps) return kSmallest * (index + 1);
  const std::uint64_t octave = (index - kSteps) / kSteps, step = (index - kSteps) % kSteps;
  return (kSmallest << octave) * (kSteps + step + 1);
}

// The smallest class that holds so many bytes.
std::size_t class_of(std::uint64_t bytes) noexcept {
  const std::uint64_t units = std::max<std::uint64_t>(1, (bytes + kSmallest - 1) / kSmallest);
  if (units <= kSteps) return static_cast<std::size_t>(units - 1);
  // units - 1 = 1xy… in binary: the octave is where its first digit stands, the step its next two.
  const auto octave = static_cast<std::uint64_t>(std::bit_width(units - 1)) - 3;
  return static_cast<std::size_t>(kSteps + octave * kSteps + (((units - 1) >> octave) - kSteps));
}

}  // namespace

struct MemoryPool::State {
  struct Class {
    std::mutex mutex;
    std::vector<std::byte*> waiting;
  };

  std::uint64_t max_kept_bytes;
  std::shared_ptr<MemoryAllocator> upstream;
  std::array<Class, kClasses> classes;
  std::atomic<std::uint64_t> kept{0}, lent{0}, hits{0}, misses{0};
};

MemoryPool::MemoryPool(std::uint64_t max_kept_bytes, std::shared_ptr<MemoryAllocator> upstream)
    : state_(std::make_unique<State>()) {
  state_->max_kept_bytes = max_kept_bytes;
  state_->upstream = upstream ? std::move(upstream) : memory_allocator(MemoryKind::system);
}

MemoryPool::~MemoryPool() {
  trim();
}

std::uint64_t MemoryPool::class_bytes(std::uint64_t bytes) noexcept {
  return bytes_of_class(class_of(bytes));
}

std::byte* MemoryPool::allocate(std::uint64_t bytes) {
  if (bytes > bytes_of_class(kClasses - 1)) return nullptr;
  const std::size_t index = class_of(bytes);
  const std::uint64_t size = bytes_of_class(index);
  State::Class& blocks = state_->classes[index];
  std::byte* block = nullptr;
  {
    const std::lock_guard lock(blocks.mutex);
    if (!blocks.waiting.empty()) {
      block = blocks.waiting.back();
      blocks.waiting.pop_back();
    }
  }
  if (block != nullptr) {
    state_->kept.fetch_sub(size, std::memory_order_relaxed);
    state_->hits.fetch_add(1, std::memory_order_relaxed);
  } else {
    state_->misses.fetch_add(1, std::memory_order_relaxed);
    block = state_->upstream->allocate(size);
    if (block == nullptr) {  // others of the pool's blocks may be all that is in the way
      trim();
      block = state_->upstream->allocate(size);
    }
    if (block == nullptr) return nullptr;
  }
  state_->lent.fetch_add(size, std::memory_order_relaxed);
  return block;
}

void MemoryPool::deallocate(std::byte* block, std::uint64_t bytes) noexcept {
  if (block == nullptr) return;
  const std::size_t index = class_of(bytes);
  const std::uint64_t size = bytes_of_class(index);
  state_->lent.fetch_sub(size, std::memory_order_relaxed);
  if (state_->kept.fetch_add(size, std::memory_order_relaxed) + size <= state_->max_kept_bytes) {
    State::Class& blocks = state_->classes[index];
    try {
      const std::lock_guard lock(blocks.mutex);
      blocks.waiting.push_back(block);
      return;
    } catch (const std::bad_alloc&) {
      // No room to remember it: it goes back.
    }
  }
  state_->kept.fetch_sub(size, std::memory_order_relaxed);
  state_->upstream->deallocate(block, size);
}

void MemoryPool::trim() noexcept {
  for (std::size_t index = 0; index < kClasses; ++index) {
    State::Class& blocks = state_->classes[index];
    std::vector<std::byte*> waiting;
    {
      const std::lock_guard lock(blocks.mutex);
      waiting.swap(blocks.waiting);
    }
    const std::uint64_t size = bytes_of_class(index);
    for (std::byte* block : waiting) state_->upstream->deallocate(block, size);
    state_->kept.fetch_sub(size * waiting.size(), std::memory_order_relaxed);
  }
}

MemoryPool::Statistics MemoryPool::statistics() const {
  return {state_->kept.load(), state_->lent.load(), state_->hits.load(), state_->misses.load()};
}

}  // namespace skerry
