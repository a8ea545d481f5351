#include "base/account.hpp"

#include <algorithm>
#include <skerry/error.hpp>
#include <utility>

namespace skerry::base {
namespace {

constinit thread_local const std::shared_ptr<Account>* account_of_thread = nullptr;
/// Inside a watch: what it charges is not watched again.
constinit thread_local bool is_relieving = false;

}  // namespace

Account::Account(std::uint64_t limit, std::shared_ptr<Account> parent,
                 const std::shared_ptr<MemoryAllocator>& allocator, std::uint64_t elsewhere)
    : own_limit_(limit),
      limit_(parent ? std::min(limit, parent->limit_) : limit),
      parent_(std::move(parent)),
      allocator_(allocator || !parent_ ? allocator : parent_->allocator_),
      used_(elsewhere),
      peak_(elsewhere) {}

std::uint64_t Account::take(std::uint64_t bytes) noexcept {
  std::uint64_t used = used_.load(std::memory_order_relaxed);
  do {
    if (bytes > own_limit_ - used) return 0;
  } while (!used_.compare_exchange_weak(used, used + bytes, std::memory_order_relaxed));
  return used + bytes;
}

void Account::charge(std::uint64_t bytes, std::string_view what) {
  if (bytes == 0) return;
  std::uint64_t after = take(bytes);
  if (after == 0) {
    call_watches(0, MemoryBudget::kUnlimited);
    after = take(bytes);
  }
  if (after == 0) {
    throw Error(ErrorCode::budget_exceeded,
                std::string(what) + " needs " + std::to_string(bytes) + " bytes, the memory limit is " +
                    std::to_string(own_limit_) + " and " + std::to_string(used()) + " are in use",
                {}, "raise the memory limit or make the work smaller");
  }
  if (parent_) {
    try {
      parent_->charge(bytes, what);
    } catch (...) {
      used_.fetch_sub(bytes, std::memory_order_relaxed);
      throw;
    }
  }
  charges_.fetch_add(1, std::memory_order_relaxed);
  std::uint64_t peak = peak_.load(std::memory_order_relaxed);
  while (peak < after && !peak_.compare_exchange_weak(peak, after, std::memory_order_relaxed)) {
  }
  if (after > lowest_mark_.load(std::memory_order_relaxed)) call_watches(after - bytes, after);
}

void Account::release(std::uint64_t bytes) noexcept {
  used_.fetch_sub(bytes, std::memory_order_relaxed);
  if (parent_) parent_->release(bytes);
}

std::uint64_t Account::watch(std::uint64_t mark, std::function<void(std::uint64_t, std::uint64_t)> relieve) {
  const std::lock_guard lock(mutex_);
  watches_.push_back({next_number_, mark, std::move(relieve)});
  lowest_mark_.store(std::min(mark, lowest_mark_.load(std::memory_order_relaxed)), std::memory_order_relaxed);
  return next_number_++;
}

void Account::unwatch(std::uint64_t number) noexcept {
  const std::lock_guard lock(mutex_);
  std::erase_if(watches_, [number](const Watch& watch) { return watch.number == number; });
  std::uint64_t lowest = MemoryBudget::kUnlimited;
  for (const Watch& watch : watches_) lowest = std::min(lowest, watch.mark);
  lowest_mark_.store(lowest, std::memory_order_relaxed);
}

// Those whose mark lies in [before, after). Called without the lock: they free, and freeing may come back here.
void Account::call_watches(std::uint64_t before, std::uint64_t after) {
  if (is_relieving) return;
  std::vector<Watch> due;
  {
    const std::lock_guard lock(mutex_);
    std::ranges::copy_if(watches_, std::back_inserter(due),
                         [&](const Watch& watch) { return before <= watch.mark && watch.mark < after; });
  }
  is_relieving = true;
  try {
    for (const Watch& watch : due) watch.relieve(used(), own_limit_);
  } catch (...) {
    is_relieving = false;
    throw;
  }
  is_relieving = false;
}

std::shared_ptr<Account> current_account() noexcept {
  return account_of_thread == nullptr ? nullptr : *account_of_thread;
}

AccountScope::AccountScope(std::shared_ptr<Account> account) noexcept
    : account_(std::move(account)), outer_(std::exchange(account_of_thread, &account_)) {}

AccountScope::~AccountScope() {
  account_of_thread = outer_;
}

}  // namespace skerry::base
