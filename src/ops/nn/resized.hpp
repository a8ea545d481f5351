/// \file
/// Where the elements of a resized axis come from: Resize and Upsample.
#pragma once

#include <skerry/tensor.hpp>
#include <vector>

#include "ops/nn/reference.hpp"

namespace skerry::ops {

/// One axis: extents, the scale between them, and the part of it that is looked at.
struct ResizedAxis {
  std::int64_t input = 1, output = 1;
  double scale = 1.0, roi_begin = 0.0, roi_end = 1.0;
};
/// All axes of x; views of inputs roi, scales, sizes or empty. Errors: type_mismatch.
std::vector<ResizedAxis> resized(const Node& node, const Shape& x, TensorView roi, TensorView scales, TensorView sizes);

/// Output `k` of an axis is the weighted sum of the inputs from `first` on, positions past the ends counting as the
/// ends; or what stands outside of the region.
struct Taps {
  std::int64_t first = 0;
  Doubles weights;
  bool outside = false;
};
Taps taps_of(const Node& node, const ResizedAxis& axis, std::int64_t k);

}  // namespace skerry::ops
