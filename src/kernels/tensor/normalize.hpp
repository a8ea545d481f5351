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

/// Rows of `length` elements: y = (x - mean) / sqrt(variance + epsilon) * scale + bias with the row's own mean and
/// (biased) variance. scale: `length` elements, bias also or empty. mean and inverse (1 / sqrt(variance + epsilon), one
/// element per row) may be empty. Reals.
void layer_normalization(TensorView x, std::int64_t length, TensorView scale, TensorView bias, double epsilon,
                         MutableTensorView y, MutableTensorView mean, MutableTensorView inverse);
void layer_normalization_f32(const float* x, std::int64_t rows, std::int64_t length, const float* scale,
                             const float* bias, float epsilon, float* y);

}  // namespace skerry::kernels
