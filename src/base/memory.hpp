/// \file
/// The one owner of memory: a budget that is charged before bytes are taken, and the aligned buffers that charge it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>

namespace skerry::base {

/// How many bytes may be held at once, and how many are. A handle: copies share one ledger, which lives as long as
/// anything that is charged to it, so a result may outlive the run that made it. From any thread.
class MemoryBudget {
 public:
  static constexpr std::uint64_t kUnlimited = std::numeric_limits<std::uint64_t>::max();

  /// Unlimited budgets count too: their peak is what a run took.
  explicit MemoryBudget(std::uint64_t limit_bytes = kUnlimited);

  /// Takes `bytes` from the budget; call it before the allocation. what: the noun told in the error ("state vector").
  /// Errors: budget_exceeded with need, limit and bytes in use; then nothing is charged.
  void charge(std::uint64_t bytes, std::string_view what);
  /// Gives back what was charged.
  void release(std::uint64_t bytes) noexcept;

  std::uint64_t used() const noexcept;
  /// The highest used() so far.
  std::uint64_t peak() const noexcept;
  std::uint64_t limit() const noexcept;

 private:
  struct Ledger;
  std::shared_ptr<Ledger> ledger_;  // shared: a Buffer of a result outlives its run
};

/// A charge that is given back on destruction; for bytes that something else allocates (a library's workspace).
class Reservation {
 public:
  Reservation() = default;
  /// Errors: budget_exceeded.
  Reservation(MemoryBudget budget, std::uint64_t bytes, std::string_view what);
  Reservation(Reservation&& other) noexcept;
  Reservation& operator=(Reservation&& other) noexcept;
  ~Reservation() { reset(); }

  std::uint64_t bytes() const noexcept { return bytes_; }
  /// Gives the bytes back early.
  void reset() noexcept;

 private:
  std::optional<MemoryBudget> budget_;  // empty when nothing is charged
  std::uint64_t bytes_ = 0;
};

/// count * element_bytes. Errors: limit_exceeded when it is more than 2^62.
std::uint64_t checked_bytes(std::uint64_t count, std::uint64_t element_bytes, std::string_view what);

/// Zeroed, aligned memory, charged to a budget for as long as it lives. Empty buffers have data() == nullptr.
///
/// Below kLargeBytes: 64-byte aligned. From there on: whole pages, 2 MiB aligned, asked to be huge pages, and not
/// touched before use, so the threads that first write a page are the ones near it.
class Buffer {
 public:
  static constexpr std::size_t kAlignment = 64;
  static constexpr std::uint64_t kLargeBytes = std::uint64_t{4} << 20;

  Buffer() = default;
  /// Errors: budget_exceeded by the budget or by the system.
  static Buffer allocate(std::uint64_t bytes, MemoryBudget budget, std::string_view what);
  /// Room for `count` elements of T. Errors: as allocate, and limit_exceeded for an overflowing size.
  template <class T>
  static Buffer allocate_for(std::uint64_t count, MemoryBudget budget, std::string_view what) {
    return allocate(checked_bytes(count, sizeof(T), what), std::move(budget), what);
  }
  Buffer(Buffer&& other) noexcept;
  Buffer& operator=(Buffer&& other) noexcept;
  ~Buffer();

  std::byte* data() noexcept { return data_; }
  const std::byte* data() const noexcept { return data_; }
  std::uint64_t bytes() const noexcept { return bytes_; }

  /// All whole elements that fit. The view must not outlive the buffer.
  template <class T>
  std::span<T> as() noexcept {
    static_assert(std::is_trivially_copyable_v<T> && alignof(T) <= kAlignment);
    return {reinterpret_cast<T*>(data_), static_cast<std::size_t>(bytes_ / sizeof(T))};
  }
  template <class T>
  std::span<const T> as() const noexcept {
    static_assert(std::is_trivially_copyable_v<T> && alignof(T) <= kAlignment);
    return {reinterpret_cast<const T*>(data_), static_cast<std::size_t>(bytes_ / sizeof(T))};
  }

 private:
  void free() noexcept;

  std::byte* data_ = nullptr;
  std::uint64_t bytes_ = 0;
  Reservation charge_;
};

}  // namespace skerry::base
