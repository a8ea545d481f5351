/// \file
/// Memory as its user sees it: who holds how much, how much at most, and where it comes from.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace skerry {

/// Where bytes come from. Implement it to bring your own; from any thread.
class MemoryAllocator {
 public:
  static constexpr std::size_t kAlignment = 64;

  MemoryAllocator() = default;
  MemoryAllocator(const MemoryAllocator&) = delete;
  MemoryAllocator& operator=(const MemoryAllocator&) = delete;
  virtual ~MemoryAllocator() = default;

  /// `bytes` > 0 bytes at a multiple of kAlignment, with any content; null when there are none.
  virtual std::byte* allocate(std::uint64_t bytes) = 0;
  /// bytes: as it was allocated.
  virtual void deallocate(std::byte* block, std::uint64_t bytes) noexcept = 0;
};

/// The kinds of memory a model can run in.
enum class MemoryKind : std::uint8_t {
  system,   ///< of the operating system, given back at once
  pool,     ///< a MemoryPool over it
  device,   ///< of an accelerator
  unified,  ///< seen by accelerator and processor alike
};

/// An allocator of this kind. Errors: unavailable where the machine has no such memory, with the reason; unsupported
/// for device memory, which no kernel of this version computes in.
std::shared_ptr<MemoryAllocator> memory_allocator(MemoryKind kind);

/// Blocks that are kept by size when they are given back, so that the next of like size costs no call of the system.
///
/// Size classes are powers of two in four steps, as in jemalloc (Evans 2006): a block is at most a fifth empty from
/// 256 bytes on. From any thread; threads wait for each other only within a class.
class MemoryPool final : public MemoryAllocator {
 public:
  struct Statistics {
    std::uint64_t kept_bytes = 0;  ///< in blocks that wait to be used
    std::uint64_t lent_bytes = 0;  ///< in blocks that are in use, their rounding included
    std::uint64_t hits = 0, misses = 0;
  };

  /// max_kept_bytes: what is given back beyond goes to `upstream`, which null means the system.
  explicit MemoryPool(std::uint64_t max_kept_bytes = std::uint64_t{256} << 20,
                      std::shared_ptr<MemoryAllocator> upstream = nullptr);
  ~MemoryPool() override;

  std::byte* allocate(std::uint64_t bytes) override;
  void deallocate(std::byte* block, std::uint64_t bytes) noexcept override;

  /// Gives back what waits.
  void trim() noexcept;
  Statistics statistics() const;
  /// The size of the block that such a request gets.
  static std::uint64_t class_bytes(std::uint64_t bytes) noexcept;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Bytes under one tag.
struct TagUsage {
  std::string tag;
  std::uint64_t used = 0, peak = 0;
};

/// Who holds how much now. used is the sum over the tags.
struct MemoryUsage {
  std::uint64_t used = 0, peak = 0;
  std::uint64_t limit = std::numeric_limits<std::uint64_t>::max();
  std::uint64_t allocations = 0;  ///< charges since the beginning
  std::vector<TagUsage> tags;     ///< in alphabetical order
};

/// The owner of the memory that is taken in its scopes: tensors, arenas, packed weights, states of simulators.
///
///     skerry::MemoryManager memory(512 << 20);
///     const skerry::MemoryScope scope(memory, "detector");
///     session.run(inputs);                      // counted under `detector`; budget_exceeded beyond 512 MiB
///
/// Mapped files are not counted: their pages are the system's to take back. A handle: copies are the same manager,
/// which lives as long as anything that is charged to it. From any thread.
class MemoryManager {
 public:
  using Pressure = std::function<void(std::uint64_t used, std::uint64_t limit)>;

  /// allocator: null means the system's.
  explicit MemoryManager(std::uint64_t limit_bytes = std::numeric_limits<std::uint64_t>::max(),
                         std::shared_ptr<MemoryAllocator> allocator = nullptr);

  MemoryUsage usage() const;
  std::uint64_t used() const noexcept;
  std::uint64_t limit() const noexcept;

  /// Calls `relieve` on the thread that charges when more than this share of the limit comes into use, and once before
  /// a charge is refused, after which the charge is tried again: the place to drop caches. It may free and must not
  /// allocate in this manager. Returns a number for remove_pressure(). Errors: invalid_argument outside of (0, 1].
  std::uint64_t on_pressure(double share, Pressure relieve);
  void remove_pressure(std::uint64_t number) noexcept;

  struct State;

 private:
  friend class MemoryScope;
  std::shared_ptr<State> state_;
};

/// What this thread allocates while the scope lives belongs to a manager, under a tag; so does what a model or circuit
/// that is planned in the scope allocates later. Scopes nest; the innermost counts.
class MemoryScope {
 public:
  MemoryScope(const MemoryManager& manager, std::string_view tag);
  MemoryScope(const MemoryScope&) = delete;
  MemoryScope& operator=(const MemoryScope&) = delete;
  ~MemoryScope();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace skerry
