/// \file
/// Attributes of operators that slide a window over space: kernel_shape, strides, dilations, pads, auto_pad, ceil_mode.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/tensor/window.hpp"
#include "ops/nn/op_record.hpp"

namespace skerry::ops {

/// The decoded attributes of one node; one number per spatial axis.
class Sliding {
 public:
  static constexpr std::size_t kMostAxes = 3;

  /// kernel: the extents that weights imply, or empty; then kernel_shape must be there. Errors: type_mismatch for
  /// attributes of the wrong length or range, or more than kMostAxes axes.
  Sliding(const Node& node, std::size_t axes, std::vector<std::int64_t> kernel);

  /// Extent of the output along an axis. Errors: type_mismatch when no window fits.
  Dim output(std::size_t axis, const Dim& input) const;
  /// The loops for a concrete input [batch, channels, space].
  kernels::Window window(const Shape& x) const;

 private:
  enum class Padding : std::uint8_t { given, same_upper, same_lower, valid };
  std::vector<std::int64_t> read(std::string_view attribute, std::size_t count, std::int64_t least,
                                 std::int64_t otherwise) const;
  std::int64_t extent(std::size_t axis) const noexcept { return (kernel_[axis] - 1) * dilations_[axis] + 1; }

  const Node& node_;
  std::size_t axes_;
  std::vector<std::int64_t> kernel_, strides_, dilations_, pads_;
  Padding padding_ = Padding::given;
  bool ceil_ = false;
};

/// Whether SlideF32 takes the window, else why not.
Expected<bool> slides_in_vectors(const kernels::Window& window);

/// Type rule of pools: output 0 has input 0's dtype and batch and channels, and space as the window leaves it.
void infer_pool(TypeContext& context);
/// The loops of a pool, and how many planes it has.
kernels::Window pool_window(const Node& node, const NodeTypes& types);
std::int64_t pool_planes(const Node& node, const NodeTypes& types);

}  // namespace skerry::ops
