#include "base/memory.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <skerry/error.hpp>
#include <string>
#include <unordered_map>
#include <utility>

#include "base/account.hpp"
#include "base/blocks.hpp"
#include "base/machine.hpp"
#include "base/obey.hpp"
#include "base/threads.hpp"
#include "base/touch.hpp"
#include "base/weighing.hpp"

namespace skerry::base {
namespace {

constexpr std::uint64_t kHugePage = std::uint64_t{2} << 20;
constexpr std::uint64_t kPage = 4096;

/// Whether kept memory is cleared before this thread uses it again.
constinit thread_local bool clears_kept = true;

std::uint64_t round_up(std::uint64_t bytes, std::uint64_t unit) {
  return (bytes + unit - 1) / unit * unit;
}

[[noreturn]] void throw_out_of_memory(std::uint64_t bytes, std::string_view what) {
  throw Error(ErrorCode::budget_exceeded,
              std::string(what) + " needs " + std::to_string(bytes) + " bytes and the system does not have them", {},
              "set a memory limit, so that a plan that fits is chosen");
}

void* map(std::uint64_t length) {
  return mmap(nullptr, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

/// Maps 2 MiB more than needed and gives back both ends, because mmap knows only page alignment.
std::byte* map_aligned(std::uint64_t bytes) {
  const std::uint64_t length = round_up(bytes, kPage);
  void* raw = map(length + kHugePage);
  if (raw == MAP_FAILED) return nullptr;
  auto* first = static_cast<std::byte*>(raw);
  const std::uint64_t address = reinterpret_cast<std::uintptr_t>(raw);
  const std::uint64_t head = round_up(address, kHugePage) - address;
  if (head != 0) munmap(first, head);
  if (kHugePage != head) munmap(first + head + length, kHugePage - head);
  madvise(first + head, length, MADV_HUGEPAGE);  // a wish: without it the run is slower and as right
  return first + head;
}

/// The large buffer that was given back last, kept for the next run of the same size: the system clears a new page when
/// it is first touched, which for a state of 128 MiB took a quarter of a run. Its pages are the system's to take
/// whenever it is short of memory (MADV_FREE). Whoever sets a memory limit keeps nothing.
class KeptBlock {
 public:
  /// The block, if it is of this size, zeroed if clears_kept; else null, and what was kept is gone.
  std::byte* take(std::uint64_t bytes, bool has_limit) noexcept {
    std::uint64_t length = 0;
    std::byte* const block = exchange(nullptr, 0, has_limit, length);
    if (block == nullptr) return nullptr;
    if (has_limit || length != round_up(bytes, kPage)) {
      munmap(block, length);
      return nullptr;
    }
    if (!clears_kept) return block;
    const Obey nobody(nullptr);  // a loop that is told to stop throws, and who asked for memory has to get it
    parallel_for(0, length, kHugePage / 2,
                 [block](std::size_t begin, std::size_t end) { std::memset(block + begin, 0, end - begin); });
    return block;
  }

  void give_back(std::byte* block, std::uint64_t bytes) noexcept {
    std::uint64_t length = round_up(bytes, kPage);
    const bool is_kept =
        !has_limit_.load(std::memory_order_relaxed) && length <= most() && madvise(block, length, MADV_FREE) == 0;
    if (is_kept) block = exchange(block, length, false, length);
    if (block != nullptr) munmap(block, length);
  }

  /// Small buffers of a run with a limit.
  void forget_if(bool has_limit) noexcept {
    if (has_limit && !is_weighing && kept_.load(std::memory_order_relaxed)) take(0, true);
  }

 private:
  static std::uint64_t most() noexcept {
    static const std::uint64_t bytes = std::min(machine().memory_bytes / 8, std::uint64_t{1} << 30);
    return bytes;
  }

  std::byte* exchange(std::byte* block, std::uint64_t length, bool has_limit, std::uint64_t& old_length) noexcept {
    // Not waited for: in a process forked off meanwhile it would never be free.
    const std::unique_lock lock(mutex_, std::try_to_lock);
    old_length = length;
    if (!lock) return block;
    if (block == nullptr) has_limit_.store(has_limit, std::memory_order_relaxed);
    kept_.store(block != nullptr, std::memory_order_relaxed);
    old_length = std::exchange(length_, length);
    return std::exchange(block_, block);
  }

  std::mutex mutex_;
  std::byte* block_ = nullptr;
  std::uint64_t length_ = 0;
  std::atomic<bool> kept_{false};
  std::atomic<bool> has_limit_{false};  ///< of the latest large buffer's budget
};
constinit KeptBlock kept_block;

std::byte* allocate_small(std::uint64_t bytes) {
  const std::uint64_t length = round_up(bytes, kBlockAlignment);
  void* raw = std::aligned_alloc(kBlockAlignment, length);
  const bool is_cleared = !is_weighing || bytes < kWeighedBytes;
  if (raw != nullptr && is_cleared) std::memset(raw, 0, length);
  return static_cast<std::byte*>(raw);
}

}  // namespace

std::byte* take_block(std::uint64_t bytes) noexcept {
  if (bytes < kMappedBytes) return allocate_small(bytes);
  if (bytes >= Buffer::kLargeBytes) return map_aligned(bytes);
  void* raw = map(round_up(bytes, kPage));
  return raw == MAP_FAILED ? nullptr : static_cast<std::byte*>(raw);
}

void give_back_block(std::byte* block, std::uint64_t bytes) noexcept {
  if (block == nullptr) return;
  if (bytes < kMappedBytes) {
    std::free(block);
  } else {
    munmap(block, round_up(bytes, kPage));
  }
}

struct MemoryBudget::Ledger : Account {
  using Account::Account;
};

namespace {

/// Bytes that the budget which is made next begins with.
constinit thread_local std::uint64_t begins_with = 0;
/// Who was charged last on this thread: a Buffer asks its budget for bytes and then wants to know where they are.
constinit thread_local const Account* charged_last = nullptr;

/// Blocks of allocators that users brought. A Buffer holds no place for its allocator, since nearly none needs one.
class ForeignBlocks {
 public:
  void add(std::byte* block, std::shared_ptr<MemoryAllocator> allocator) {
    const std::lock_guard lock(mutex_);
    owners_.emplace(block, std::move(allocator));
    count_.fetch_add(1, std::memory_order_release);
  }
  /// Null for a block of our own.
  std::shared_ptr<MemoryAllocator> take(std::byte* block) noexcept {
    if (count_.load(std::memory_order_acquire) == 0) return nullptr;
    const std::lock_guard lock(mutex_);
    const auto found = owners_.find(block);
    if (found == owners_.end()) return nullptr;
    auto owner = std::move(found->second);
    owners_.erase(found);
    count_.fetch_sub(1, std::memory_order_release);
    return owner;
  }

 private:
  std::mutex mutex_;
  std::unordered_map<std::byte*, std::shared_ptr<MemoryAllocator>> owners_;
  std::atomic<std::size_t> count_{0};
};

/// Never deleted: results may be held by static objects.
ForeignBlocks& foreign_blocks() {
  static auto* blocks = new ForeignBlocks;
  return *blocks;
}

std::byte* allocate_foreign(MemoryAllocator& allocator, std::uint64_t bytes, std::string_view what) {
  std::byte* const block = allocator.allocate(bytes);
  if (block == nullptr) throw_out_of_memory(bytes, what);
  if (reinterpret_cast<std::uintptr_t>(block) % MemoryAllocator::kAlignment != 0) {
    allocator.deallocate(block, bytes);
    throw Error(ErrorCode::invalid_argument, "the allocator gave a block that does not start at a multiple of 64",
                std::string(what), "align what allocate() returns");
  }
  if (clears_kept || bytes < Buffer::kLargeBytes) std::memset(block, 0, bytes);
  return block;
}

}  // namespace

MemoryBudget::MemoryBudget(std::uint64_t limit_bytes)
    : ledger_(std::make_shared<Ledger>(limit_bytes, current_account(), nullptr, begins_with)) {}

void MemoryBudget::charge(std::uint64_t bytes, std::string_view what) {
  ledger_->charge(bytes, what);
  charged_last = ledger_.get();
}

void MemoryBudget::release(std::uint64_t bytes) noexcept {
  ledger_->release(bytes);
}

std::uint64_t MemoryBudget::used() const noexcept {
  return ledger_->used();
}
std::uint64_t MemoryBudget::peak() const noexcept {
  return ledger_->peak();
}
std::uint64_t MemoryBudget::limit() const noexcept {
  return ledger_->limit();
}

MemoryBudget budget_beside(std::uint64_t limit_bytes, std::uint64_t bytes, std::string_view what) {
  if (bytes > limit_bytes) MemoryBudget(limit_bytes).charge(bytes, what);  // says why not
  begins_with = bytes;
  MemoryBudget budget(limit_bytes);
  begins_with = 0;
  return budget;
}

std::shared_ptr<std::byte> shared_block(std::uint64_t bytes) {
  const std::shared_ptr<Account> account = current_account();
  if (account) account->charge(bytes, "tensor");
  const std::shared_ptr<MemoryAllocator> allocator = account ? account->allocator() : nullptr;
  std::byte* block = nullptr;
  try {
    block = allocator ? allocate_foreign(*allocator, bytes, "tensor") : take_block(bytes);
  } catch (...) {
    account->release(bytes);
    throw;
  }
  if (block == nullptr) {
    if (account) account->release(bytes);
    return nullptr;
  }
  if (!account) return {block, [bytes](std::byte* p) { give_back_block(p, bytes); }};
  return {block, [bytes, account, allocator](std::byte* p) {
            if (allocator) {
              allocator->deallocate(p, bytes);
            } else {
              give_back_block(p, bytes);
            }
            account->release(bytes);
          }};
}

Reservation::Reservation(MemoryBudget budget, std::uint64_t bytes, std::string_view what) {
  budget.charge(bytes, what);
  budget_ = std::move(budget);
  bytes_ = bytes;
}

Reservation::Reservation(Reservation&& other) noexcept
    : budget_(std::move(other.budget_)), bytes_(std::exchange(other.bytes_, 0)) {
  other.budget_.reset();
}

Reservation& Reservation::operator=(Reservation&& other) noexcept {
  if (this != &other) {
    reset();
    budget_ = std::exchange(other.budget_, std::nullopt);
    bytes_ = std::exchange(other.bytes_, 0);
  }
  return *this;
}

void Reservation::reset() noexcept {
  if (budget_) budget_->release(bytes_);
  budget_.reset();
  bytes_ = 0;
}

std::uint64_t checked_bytes(std::uint64_t count, std::uint64_t element_bytes, std::string_view what) {
  constexpr std::uint64_t kMost = std::uint64_t{1} << 62;
  if (element_bytes != 0 && count > kMost / element_bytes) {
    throw Error(ErrorCode::limit_exceeded,
                std::string(what) + " of " + std::to_string(count) + " elements of " + std::to_string(element_bytes) +
                    " bytes is larger than 2^62 bytes",
                {}, "make the work smaller");
  }
  return count * element_bytes;
}

Buffer Buffer::allocate(std::uint64_t bytes, MemoryBudget budget, std::string_view what) {
  Buffer buffer;
  if (bytes == 0) return buffer;
  checked_bytes(bytes, 1, what);
  const bool has_limit = budget.limit() != MemoryBudget::kUnlimited;
  buffer.charge_ = Reservation(std::move(budget), bytes, what);
  if (const auto& allocator = charged_last->allocator()) {
    std::byte* const block = allocate_foreign(*allocator, bytes, what);
    try {
      foreign_blocks().add(block, allocator);
    } catch (...) {
      allocator->deallocate(block, bytes);
      throw;
    }
    buffer.data_ = block;
  } else if (bytes < kLargeBytes) {
    kept_block.forget_if(has_limit);
    buffer.data_ = allocate_small(bytes);
  } else {
    if (!is_weighing) buffer.data_ = kept_block.take(bytes, has_limit);  // what is kept is for a run
    if (buffer.data_ == nullptr) buffer.data_ = map_aligned(bytes);
  }
  if (buffer.data_ == nullptr) throw_out_of_memory(bytes, what);
  buffer.bytes_ = bytes;
  return buffer;
}

void touch(Buffer& buffer, const RunControl& control, std::string_view stage) {
  if (buffer.bytes() < Buffer::kLargeBytes) return;
  parallel_for(0, buffer.bytes(), kHugePage, [&](std::size_t begin, std::size_t end) {
    control.check(stage);
    volatile std::byte* const bytes = buffer.data();
    for (; begin < end; begin += kPage) bytes[begin] = std::byte{0};
  });
}

Buffer allocate_unwritten(std::uint64_t bytes, MemoryBudget budget, std::string_view what, const RunControl& control,
                          std::string_view stage) {
  struct Uncleared {
    Uncleared() noexcept { clears_kept = false; }
    Uncleared(const Uncleared&) = delete;
    Uncleared& operator=(const Uncleared&) = delete;
    ~Uncleared() { clears_kept = true; }
  };
  Buffer buffer;
  {
    const Uncleared scope;
    buffer = Buffer::allocate(bytes, std::move(budget), what);
  }
  touch(buffer, control, stage);
  return buffer;
}

Buffer::Buffer(Buffer&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)),
      bytes_(std::exchange(other.bytes_, 0)),
      charge_(std::move(other.charge_)) {}

Buffer& Buffer::operator=(Buffer&& other) noexcept {
  if (this != &other) {
    free();
    data_ = std::exchange(other.data_, nullptr);
    bytes_ = std::exchange(other.bytes_, 0);
    charge_ = std::move(other.charge_);
  }
  return *this;
}

Buffer::~Buffer() {
  free();
}

void Buffer::free() noexcept {
  if (data_ == nullptr) return;
  if (const auto foreign = foreign_blocks().take(data_)) {
    foreign->deallocate(data_, bytes_);
  } else if (bytes_ < kLargeBytes) {
    std::free(data_);
  } else if (is_weighing) {
    munmap(data_, round_up(bytes_, kPage));
  } else {
    kept_block.give_back(data_, bytes_);
  }
}

}  // namespace skerry::base
