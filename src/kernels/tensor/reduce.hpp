/// \file
/// Sums, means, extremes and norms along axes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <skerry/tensor.hpp>
#include <span>
#include <vector>

namespace skerry::kernels {

enum class Reduction : std::uint8_t { sum, mean, max, min, prod, l1, l2, sum_square, log_sum, log_sum_exp };

/// y = reduction of x over the axes that are 1 in `reduced` (one flag per axis of x); y has as many elements as the
/// other axes together. Reals are summed as double. Over no elements: 0, 1 for prod, the lowest or highest value for
/// max and min. Numbers; max and min also bool.
void reduce(Reduction f, TensorView x, std::span<const std::uint8_t> reduced, MutableTensorView y);

/// f32 in vectors over the middle axis of x [outer, length, inner]: all but prod, which in f32 would overflow on the
/// way where the whole product does not.
void reduce_f32(Reduction f, const float* x, std::int64_t outer, std::int64_t length, std::int64_t inner, float* y);
void log_sum_exp_columns_f32(const float* x, std::int64_t outer, std::int64_t length, std::int64_t inner, float* y);

/// The same over any axes: those that do not stand together one after the other, from the innermost on.
class ReduceF32 {
 public:
  /// reduced: one flag per axis, 1 where it goes away. No axis without elements.
  ReduceF32(Reduction f, const Shape& shape, std::span<const std::uint8_t> reduced);
  std::uint64_t scratch_bytes() const noexcept { return scratch_floats_ * sizeof(float); }
  /// Of the first and the largest step, [outer, length, inner].
  struct Step {
    std::int64_t outer = 1, length = 1, inner = 1;
    std::int64_t results() const noexcept { return outer * inner; }
  };
  const Step& first() const noexcept { return steps_.front(); }
  void run(const float* x, float* y, std::span<std::byte> scratch) const;

 private:
  Reduction f_;
  std::vector<Step> steps_;
  std::size_t scratch_floats_ = 0;  ///< of what lies between two steps
};

/// y (i64) = position of the largest (smallest) element along `axis`; of equal ones the first, or the last. Numbers.
void arg_extreme(TensorView x, int axis, bool largest, bool last, MutableTensorView y);

/// f32 in vectors, x as [outer, length, inner], length below 2^31.
void arg_extreme_f32(const float* x, std::int64_t outer, std::int64_t length, std::int64_t inner, bool largest,
                     bool last, std::int64_t* y);

/// Running sums along the middle axis of [outer, length, inner], kept in f64; exclusive: without the element itself;
/// reverse: from the end on.
void cumulative_sum_f32(const float* x, std::int64_t outer, std::int64_t length, std::int64_t inner, bool exclusive,
                        bool reverse, float* y);

}  // namespace skerry::kernels
