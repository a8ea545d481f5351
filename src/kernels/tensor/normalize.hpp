/// \file
/// Softmax and the normalisations.
#pragma once

#include <cstdint>
#include <skerry/tensor.hpp>

namespace skerry::kernels {

/// y = exp(x - m) / sum exp(x - m), or its logarithm, over the middle axis of x seen as [outer, length, inner]; m is
/// the largest element. Reals; x and y may be the same memory.
void softmax(TensorView x, std::int64_t outer, std::int64_t length, std::int64_t inner, bool logarithm,
             MutableTensorView y);
/// f32, inner = 1, in vectors.
void softmax_f32(const float* x, std::int64_t rows, std::int64_t length, bool logarithm, float* y);

/// y[n, c, i] = (x[n, c, i] - mean[c]) / sqrt(variance[c] + epsilon) * scale[c] + bias[c]. x: reals; the four vectors:
/// reals of their own dtypes. x and y may be the same memory.
void batch_normalization(TensorView x, TensorView scale, TensorView bias, TensorView mean, TensorView variance,
                         double epsilon, MutableTensorView y);

/// y[i] = x[i] * factor + offset, on the calling thread; x and y may be the same memory.
void affine_f32(const float* x, std::int64_t count, float factor, float offset, float* y);

/// Rows of `length` elements: y = (x - mean) / sqrt(variance + epsilon) * scale + bias with the row's own mean and
/// (biased) variance. scale: `length` elements, bias also or empty. mean and inverse (1 / sqrt(variance + epsilon), one
/// element per row) may be empty. Reals.
void layer_normalization(TensorView x, std::int64_t length, TensorView scale, TensorView bias, double epsilon,
                         MutableTensorView y, MutableTensorView mean, MutableTensorView inverse);
void layer_normalization_f32(const float* x, std::int64_t rows, std::int64_t length, const float* scale,
                             const float* bias, float epsilon, float* y, float* mean = nullptr,
                             float* inverse = nullptr);

/// The same along a middle axis: inner > 1.
void softmax_columns_f32(const float* x, std::int64_t outer, std::int64_t length, std::int64_t inner, bool logarithm,
                         float* y);

/// What is normalised together: group g is made of `runs` runs of `length` neighbours, run r at element
/// g * step + r * run_step.
struct Groups {
  std::int64_t count = 1, runs = 1, length = 1, step = 0, run_step = 0;
};
/// y = (x - mean) / (sqrt(variance + epsilon) + offset) * scale[c] + bias[c] with the group's own mean and (biased)
/// variance; c = (g * runs + r) modulo channels. scale and bias may be null.
void group_normalization_f32(const Groups& groups, const float* x, std::int64_t channels, const float* scale,
                             const float* bias, double epsilon, double offset, float* y);

/// Rows: y = x / sqrt(mean of x^2 + epsilon) * scale, `length` factors.
void rms_normalization_f32(const float* x, std::int64_t rows, std::int64_t length, const float* scale, double epsilon,
                           float* y);
/// y = x / norm along the middle axis of [outer, length, inner], 0 where the norm is 0: the sum of magnitudes, or the
/// root of the sum of squares.
void lp_normalization_f32(const float* x, std::int64_t outer, std::int64_t length, std::int64_t inner, bool squares,
                          float* y);
/// y = x / (bias + alpha * sum of the squares of the `before` and `behind` neighbours along the middle axis and of
/// itself)^beta; x as [outer, length, inner].
struct NeighbourNorm {
  std::int64_t outer = 1, length = 1, inner = 1, before = 0, behind = 0;
  float alpha = 0.0F, beta = 0.0F, bias = 0.0F;
};
void neighbour_normalization_f32(const NeighbourNorm& norm, const float* x, float* y);

}  // namespace skerry::kernels
