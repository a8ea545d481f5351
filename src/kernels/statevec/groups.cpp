#include "kernels/statevec/groups.hpp"

#include <bit>

namespace skerry::kernels {

Groups::Groups(int wires, std::uint64_t controls, std::span<const int> targets)
    : controls_(controls), involved_(controls), offsets_(std::size_t{1} << targets.size()) {
  for (std::size_t j = 0; j < targets.size(); ++j) {
    const std::size_t bit = std::size_t{1} << targets[j];
    involved_ |= bit;
    for (std::size_t r = 0; r < offsets_.size(); ++r) {
      if ((r >> j & 1) != 0) offsets_[r] += bit;
    }
  }
  count_ = std::size_t{1} << (wires - std::popcount(involved_));
  run_ = involved_ == 0 ? count_ : std::size_t{1} << std::countr_zero(involved_);
}

std::size_t Groups::base(std::size_t g) const noexcept {
  // Opens a gap at each involved place, lowest first.
  for (std::size_t rest = involved_; rest != 0; rest &= rest - 1) {
    const std::size_t below = (rest & (~rest + 1)) - 1;
    g = ((g & ~below) << 1) | (g & below);
  }
  return g | controls_;
}

}  // namespace skerry::kernels
