/// \file
/// Contraction of two tensors all of whose axes have length 2: one batched complex product, read in place.
///
/// A tensor of r axes is 2^r numbers in two planes: all real parts, then (from `plane` on) all imaginary parts. An axis
/// is a bit of the offset of an element. The axes of a pair of tensors fall into four groups: batch (of both, and
/// kept), rows (of a alone), columns (of b alone), inner (of both, summed):
///
///     c[batch, row, column] = sum over inner of a[batch, row, inner] b[batch, inner, column]
///
/// Operands are packed panel by panel from wherever their axes lie, so that nothing is transposed in memory. Source:
/// Springer, Bientinesi, ACM Trans. Math. Softw. 44 (2018) 28; blocks as Goto, van de Geijn, ibid. 34 (2008) 12.
#pragma once

#include <cstddef>
#include <cstdint>
#include <skerry/progress.hpp>
#include <span>
#include <vector>

namespace skerry::kernels {

/// Numbers to offsets: bit i of a number goes to bit place[i]. At most 32 places.
class Spread {
 public:
  explicit Spread(std::span<const std::uint8_t> places);
  std::size_t operator()(std::size_t number) const noexcept {
    std::size_t offset = 0;
    for (std::size_t part = 0; part < parts_; ++part, number >>= kBits)
      offset += table_[begin_[part] + (number & kMask)];
    return offset;
  }
  /// Numbers below this are their own offsets.
  std::size_t run() const noexcept { return run_; }
  std::size_t size() const noexcept { return std::size_t{1} << bits_; }

 private:
  static constexpr std::size_t kBits = 8;
  std::size_t bits_, parts_, run_ = 1;
  static constexpr std::size_t kMask = (std::size_t{1} << kBits) - 1;
  std::size_t begin_[4] = {};
  std::vector<std::uint32_t> table_;
};

/// Where the axes of each group lie in their tensors, the least significant of a group first; both lists of a group
/// that two tensors share are in the same order. c has columns lowest, then rows, then batch, each in order.
struct ContractionAxes {
  std::vector<std::uint8_t> a_batch, a_rows, a_inner;
  std::vector<std::uint8_t> b_batch, b_inner, b_columns;
};

/// A tensor in two planes; `re` is the first element, `plane` how far away the imaginary parts are.
template <class T>
struct Planes {
  T* re;
  std::size_t plane;
};

/// c must not overlap the others; its planes lie side by side (plane = its size). The sum over inner has an order of
/// its own that does not depend on threads. Errors: those of control.
template <class T>
void contract(const ContractionAxes& axes, Planes<const T> a, Planes<const T> b, T* c, const RunControl& control);

}  // namespace skerry::kernels
