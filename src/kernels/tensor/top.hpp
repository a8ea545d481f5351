/// \file
/// The largest elements of rows, in order.
#pragma once

#include <cstddef>
#include <cstdint>
#include <skerry/tensor.hpp>
#include <span>

namespace skerry::kernels {

/// x as [outer, length, inner]; of each row along the middle axis the k largest or smallest, in order; of equal ones
/// those that stand first. Not-a-number counts as above all numbers, -0 as 0. Numbers.
struct TopShape {
  std::int64_t outer = 1, length = 1, inner = 1, k = 0;
  bool largest = true;

  /// Room for the candidates of as many rows as threads may work on.
  std::uint64_t scratch_bytes() const noexcept;
};
/// values of x's dtype, places i64 or empty; both [outer, k, inner], 0 <= k <= length.
void top(const TopShape& shape, TensorView x, MutableTensorView values, MutableTensorView places,
         std::span<std::byte> scratch);

}  // namespace skerry::kernels
