#include "base/memory_manager.hpp"

#include <cmath>
#include <skerry/error.hpp>
#include <utility>

#include "base/blocks.hpp"
#include "base/unified_memory.hpp"

namespace skerry {
namespace {

class SystemMemory final : public MemoryAllocator {
 public:
  std::byte* allocate(std::uint64_t bytes) override { return base::take_block(bytes); }
  void deallocate(std::byte* block, std::uint64_t bytes) noexcept override { base::give_back_block(block, bytes); }
};

}  // namespace

std::shared_ptr<MemoryAllocator> memory_allocator(MemoryKind kind) {
  switch (kind) {
    case MemoryKind::system:
      return std::make_shared<SystemMemory>();
    case MemoryKind::pool:
      return std::make_shared<MemoryPool>();
    case MemoryKind::device:
      throw Error(ErrorCode::unsupported, "no kernel of this version computes in the memory of this machine's devices",
                  "device", "take a simulated device's, or system, pool or unified memory");
    case MemoryKind::unified:
      return base::unified_memory();
  }
  return nullptr;
}

std::shared_ptr<base::Account> MemoryManager::State::account(std::string_view tag) {
  const std::lock_guard lock(mutex);
  const auto found = tags.find(tag);
  if (found != tags.end()) return found->second;
  auto made = std::make_shared<base::Account>(base::MemoryBudget::kUnlimited, total);
  tags.emplace(tag, made);
  return made;
}

MemoryManager::MemoryManager(std::uint64_t limit_bytes, std::shared_ptr<MemoryAllocator> allocator)
    : state_(std::make_shared<State>()) {
  state_->total = std::make_shared<base::Account>(limit_bytes, nullptr, std::move(allocator));
}

MemoryUsage MemoryManager::usage() const {
  const base::Account& total = *state_->total;
  MemoryUsage usage{total.used(), total.peak(), total.limit(), total.charges(), {}};
  const std::lock_guard lock(state_->mutex);
  for (const auto& [tag, account] : state_->tags) usage.tags.push_back({tag, account->used(), account->peak()});
  return usage;
}

std::uint64_t MemoryManager::used() const noexcept {
  return state_->total->used();
}

std::uint64_t MemoryManager::limit() const noexcept {
  return state_->total->limit();
}

std::uint64_t MemoryManager::on_pressure(double share, Pressure relieve) {
  if (!(share > 0.0 && share <= 1.0)) {
    throw Error(ErrorCode::invalid_argument, "pressure at " + std::to_string(share) + " of the limit", "share",
                "give more than 0 and at most 1");
  }
  const std::uint64_t limit = state_->total->limit();
  const bool is_limited = limit != base::MemoryBudget::kUnlimited;
  // Without a limit there is no share of it, and no mark below "more than there is".
  const auto mark = is_limited ? static_cast<std::uint64_t>(share * static_cast<double>(limit)) : limit - 1;
  return state_->total->watch(mark, std::move(relieve));
}

void MemoryManager::remove_pressure(std::uint64_t number) noexcept {
  state_->total->unwatch(number);
}

struct MemoryScope::State {
  base::AccountScope scope;
};

MemoryScope::MemoryScope(const MemoryManager& manager, std::string_view tag)
    : state_(new State{base::AccountScope(manager.state_->account(tag))}) {}

MemoryScope::~MemoryScope() = default;

}  // namespace skerry
