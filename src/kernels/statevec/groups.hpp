/// \file
/// Which amplitudes a gate brings together: the index arithmetic under every state-vector kernel.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace skerry::kernels {

/// The groups of amplitudes that a gate with k targets and c controls mixes among themselves.
///
/// A group is named by its base: the index whose control bits are 1 and target bits 0. Its members are base +
/// offset(r), r = 0 .. 2^k - 1, where bit j of r is the value of target j. There are 2^(n - k - c) groups. With targets
/// {1} and control mask 1000 of four wires the bases are
///
///     group g   00   01   10   11         involved bits (targets and controls): 1 0 1 0
///     base    1000 1001 1100 1101         base(g): the bits of g dealt out to the other places
///
/// Bases are consecutive in runs of 2^(lowest involved wire), which is what the vector units live on.
class Groups {
 public:
  /// Precondition: targets distinct, below `wires`, and not in `controls`.
  Groups(int wires, std::uint64_t controls, std::span<const int> targets);

  std::size_t count() const noexcept { return count_; }
  /// Length of a run of consecutive bases; a power of two.
  std::size_t run() const noexcept { return run_; }
  /// Distance of member r of a group from its base; 2^k of them.
  std::span<const std::size_t> offsets() const noexcept { return offsets_; }
  /// Bits of the controls; of controls and targets.
  std::size_t controls() const noexcept { return controls_; }
  std::size_t involved() const noexcept { return involved_; }
  /// Base of group g.
  std::size_t base(std::size_t g) const noexcept;

  /// Calls fn(base, length) for the runs that make up groups [begin, end): bases base, base + 1, …, base + length - 1.
  /// Always inlined, so that fn is compiled for the instruction set of the caller.
  template <class Function>
  [[gnu::always_inline]] void for_runs(std::size_t begin, std::size_t end, Function fn) const {
    std::size_t index = base(begin);
    while (begin < end) {
      const std::size_t length = std::min(run_ - (begin & (run_ - 1)), end - begin);
      fn(index, length);
      begin += length;
      // Involved bits set to 1 let the carry of + 1 pass over them.
      index = ((((index + length - 1) | involved_) + 1) & ~involved_) | controls_;
    }
  }

 private:
  std::size_t controls_, involved_;
  std::size_t count_, run_;
  std::vector<std::size_t> offsets_;
};

}  // namespace skerry::kernels
