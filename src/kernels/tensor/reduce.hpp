/// \file
/// Sums, means, extremes and norms along axes.
#pragma once

#include <cstdint>
#include <skerry/tensor.hpp>
#include <span>

namespace skerry::kernels {

enum class Reduction : std::uint8_t { sum, mean, max, min, prod, l1, l2, sum_square, log_sum, log_sum_exp };

/// y = reduction of x over the axes that are 1 in `reduced` (one flag per axis of x); y has as many elements as the
/// other axes together. Reals are summed as double. Over no elements: 0, 1 for prod, the lowest or highest value for
/// max and min. Numbers; max and min also bool.
void reduce(Reduction f, TensorView x, std::span<const std::uint8_t> reduced, MutableTensorView y);

/// f32 in vectors, when the reduced axes are the last ones, or one axis before the last: sum, mean, max, min, l2,
/// sum_square. x: [outer, reduced, inner].
void reduce_f32(Reduction f, const float* x, std::int64_t outer, std::int64_t length, std::int64_t inner, float* y);

/// y (i64) = position of the largest (smallest) element along `axis`; of equal ones the first, or the last. Numbers.
void arg_extreme(TensorView x, int axis, bool largest, bool last, MutableTensorView y);

/// f32 in vectors, x as [outer, length, inner], length below 2^31.
void arg_extreme_f32(const float* x, std::int64_t outer, std::int64_t length, std::int64_t inner, bool largest,
                     bool last, std::int64_t* y);

/// Running sums along the middle axis of [outer, length, inner], kept in f64; exclusive: without the element itself;
/// reverse: from the end on.
void cumulative_sum_f32(const float* x, std::int64_t outer, std::int64_t length, std::int64_t inner, bool exclusive,
                        bool reverse, float* y);

/// Cumulative shape of a reduction: x as [outer, length, inner] when the reduced axes stand together.
struct ReducedShape {
  bool together = false;
  std::int64_t outer = 1, length = 1, inner = 1;
};
ReducedShape reduced_shape(const Shape& shape, std::span<const std::uint8_t> reduced) noexcept;

}  // namespace skerry::kernels
