/// \file
/// Ledgers of bytes in a tree: what is charged to one is charged to those above it, and the top may say where the bytes
/// come from. Behind MemoryBudget and MemoryManager, so that there is one accounting.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <skerry/memory.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "base/memory.hpp"

namespace skerry::base {

/// One ledger. From any thread; atomics alone, unless a limit or a watermark is passed.
class Account {
 public:
  /// parent: charged too, null at the top. allocator: where Buffers and Tensors charged here come from; null: the
  /// parent's. elsewhere: bytes in use from the beginning that nobody above is charged for.
  explicit Account(std::uint64_t limit, std::shared_ptr<Account> parent = nullptr,
                   const std::shared_ptr<MemoryAllocator>& allocator = nullptr, std::uint64_t elsewhere = 0);

  /// Here and above, or nowhere. Errors: budget_exceeded by the ledger that has no room.
  void charge(std::uint64_t bytes, std::string_view what);
  void release(std::uint64_t bytes) noexcept;

  std::uint64_t used() const noexcept { return used_.load(std::memory_order_relaxed); }
  std::uint64_t peak() const noexcept { return peak_.load(std::memory_order_relaxed); }
  /// The least of its own limit and those above.
  std::uint64_t limit() const noexcept { return limit_; }
  /// Charges so far.
  std::uint64_t charges() const noexcept { return charges_.load(std::memory_order_relaxed); }
  const std::shared_ptr<MemoryAllocator>& allocator() const noexcept { return allocator_; }

  /// Calls `relieve` when used() passes `mark` upwards, and before a charge is refused. Returns its number.
  std::uint64_t watch(std::uint64_t mark, std::function<void(std::uint64_t used, std::uint64_t limit)> relieve);
  void unwatch(std::uint64_t number) noexcept;

 private:
  struct Watch {
    std::uint64_t number, mark;
    std::function<void(std::uint64_t, std::uint64_t)> relieve;
  };
  /// used() afterwards, or 0: there is no room.
  std::uint64_t take(std::uint64_t bytes) noexcept;
  void call_watches(std::uint64_t before, std::uint64_t after);

  const std::uint64_t own_limit_, limit_;
  const std::shared_ptr<Account> parent_;
  const std::shared_ptr<MemoryAllocator> allocator_;
  std::atomic<std::uint64_t> used_, peak_, charges_{0};
  std::atomic<std::uint64_t> lowest_mark_{MemoryBudget::kUnlimited};
  std::mutex mutex_;  // of watches_
  std::vector<Watch> watches_;
  std::uint64_t next_number_ = 1;
};

/// What this thread charges: the ledger that new budgets become a part of, and that new Tensors are charged to. Null
/// outside of every MemoryScope.
std::shared_ptr<Account> current_account() noexcept;

/// Makes `account` the current one of this thread for a scope; null: none.
class AccountScope {
 public:
  explicit AccountScope(std::shared_ptr<Account> account) noexcept;
  AccountScope(const AccountScope&) = delete;
  AccountScope& operator=(const AccountScope&) = delete;
  ~AccountScope();

 private:
  std::shared_ptr<Account> account_;
  const std::shared_ptr<Account>* outer_;
};

/// A budget of which `bytes` are in use for as long as it lives: somebody else took and counted them (weights that
/// sessions share). Errors: budget_exceeded when they are more than the limit.
MemoryBudget budget_beside(std::uint64_t limit_bytes, std::uint64_t bytes, std::string_view what);

/// A zeroed block for a tensor, 64-byte aligned; charged to the current account and taken where that says. Null when
/// the system has none. Errors: budget_exceeded.
std::shared_ptr<std::byte> shared_block(std::uint64_t bytes);

}  // namespace skerry::base
