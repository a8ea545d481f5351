#include "frontend/openqasm/scope.hpp"

#include <utility>

namespace skerry::frontend::openqasm {

const Symbol* Scope::find(std::string_view name) const {
  const auto found = latest_.find(name);
  if (found == latest_.end()) return nullptr;
  for (std::uint32_t i = found->second; i != Symbol::kNo; i = symbols_[i].shadowed) {
    const std::uint32_t level = symbols_[i].level;
    if (level == 0 || level > barrier_) return &symbols_[i];
  }
  return nullptr;
}

const Symbol* Scope::find_here(std::string_view name) const {
  const Symbol* symbol = find(name);
  return symbol != nullptr && symbol->level == level() ? symbol : nullptr;
}

void Scope::declare(Symbol symbol) {
  symbol.level = level();
  const auto [slot, is_new] = latest_.try_emplace(symbol.name, static_cast<std::uint32_t>(symbols_.size()));
  if (!is_new) {
    symbol.shadowed = slot->second;
    slot->second = static_cast<std::uint32_t>(symbols_.size());
  }
  symbols_.push_back(std::move(symbol));
}

void Scope::close() {
  while (symbols_.size() > starts_.back()) {
    const Symbol& last = symbols_.back();
    if (last.shadowed == Symbol::kNo)
      latest_.erase(last.name);
    else
      latest_[last.name] = last.shadowed;
    symbols_.pop_back();
  }
  starts_.pop_back();
}

std::uint32_t Scope::set_barrier() {
  return std::exchange(barrier_, level());
}

}  // namespace skerry::frontend::openqasm
