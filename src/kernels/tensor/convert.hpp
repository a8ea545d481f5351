/// \file
/// Elements made or changed without arithmetic on two of them: conversion between dtypes, bounds, constants, ranges.
#pragma once

#include <cstdint>
#include <skerry/tensor.hpp>
#include <span>

namespace skerry::kernels {

/// y[i] = x[i] in y's dtype by convert() of numeric.hpp: to an integer towards 0, reals past an integer's range to its
/// nearest end, integers wrap, anything but 0 is true. Numbers and bool; not the same memory.
void cast(TensorView x, MutableTensorView y);

/// y[i] = min(max(x[i], low), high); not-a-number stays. low and high: one number each, of any dtype, or empty. Where
/// low > high all is high. x and y may be the same memory. Numbers.
void clip(TensorView x, TensorView low, TensorView high, MutableTensorView y);

/// The same of f32 in vectors.
void clip_f32(std::span<const float> x, float low, float high, std::span<float> y);

/// y[i] = value, one element of y's dtype. Any dtype of whole bytes.
void fill(TensorView value, MutableTensorView y);

/// y[i] = start + i delta, in y's dtype (start and delta too: one number each). Numbers.
void range(TensorView start, TensorView delta, MutableTensorView y);

}  // namespace skerry::kernels
