/// \file
/// For tests: random windows and convolutions, and what their definition makes of them.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "kernels/tensor/conv.hpp"

namespace skerry::kernels::testing {

inline std::vector<float> random_floats(std::int64_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<float> uniform(-1.0F, 1.0F);
  std::vector<float> values(static_cast<std::size_t>(count));
  for (float& value : values) value = uniform(random);
  return values;
}

inline TensorView view(const std::vector<float>& values) {
  return {DType::f32, Shape{static_cast<std::int64_t>(values.size())},
          reinterpret_cast<const std::byte*>(values.data())};
}
inline MutableTensorView view(std::vector<float>& values) {
  return {DType::f32, Shape{static_cast<std::int64_t>(values.size())}, reinterpret_cast<std::byte*>(values.data())};
}

// A window whose outputs are computed by counting positions, not by the formula the operators use.
inline Window random_window(std::mt19937& random) {
  const auto between = [&random](std::int64_t low, std::int64_t high) {
    return std::uniform_int_distribution<std::int64_t>(low, high)(random);
  };
  Window w;
  const std::size_t first_axis = static_cast<std::size_t>(between(0, 2));
  for (std::size_t axis = first_axis; axis < 3; ++axis) {
    w.kernel[axis] = between(1, 4);
    w.stride[axis] = between(1, 3);
    w.dilation[axis] = between(1, 2);
    w.pad_begin[axis] = between(0, 2);
    w.pad_end[axis] = between(0, 2);
    const std::int64_t extent = (w.kernel[axis] - 1) * w.dilation[axis] + 1;
    w.input[axis] =
        std::max<std::int64_t>(between(1, axis == 2 ? 70 : 9), extent - w.pad_begin[axis] - w.pad_end[axis]);
    w.output[axis] = 0;
    for (std::int64_t at = -w.pad_begin[axis]; at + extent <= w.input[axis] + w.pad_end[axis]; at += w.stride[axis])
      ++w.output[axis];
  }
  return w;
}

/// The same with two axes of space.
inline Window flat_window(std::mt19937& random) {
  Window w = random_window(random);
  w.input[0] = w.kernel[0] = w.stride[0] = w.dilation[0] = w.output[0] = 1;
  w.pad_begin[0] = w.pad_end[0] = 0;
  return w;
}

inline std::string describe(const ConvShape& s) {
  std::string out = std::to_string(s.batch) + "x" + std::to_string(s.channels) + "->" + std::to_string(s.outputs) +
                    " groups " + std::to_string(s.groups);
  for (std::size_t a = 0; a < 3; ++a) {
    out += "; in " + std::to_string(s.window.input[a]) + " k " + std::to_string(s.window.kernel[a]) + " s " +
           std::to_string(s.window.stride[a]) + " d " + std::to_string(s.window.dilation[a]) + " p " +
           std::to_string(s.window.pad_begin[a]) + "," + std::to_string(s.window.pad_end[a]);
  }
  return out;
}

struct Data {
  std::vector<float> x, w, bias, expected;
};
inline Data data_for(const ConvShape& s) {
  Data d{random_floats(s.batch * s.channels * s.window.inputs(), 1), random_floats(s.outputs * s.depth(), 2),
         random_floats(s.outputs, 3),
         std::vector<float>(static_cast<std::size_t>(s.batch * s.outputs * s.window.outputs()))};
  conv_ref(s, view(d.x), view(d.w), view(d.bias), view(d.expected));
  return d;
}

inline void expect_near(const ConvShape& s, const std::vector<float>& y, const std::vector<float>& expected) {
  // One rounding of half a unit per product of numbers below 1.
  const double tolerance = 2e-6 * std::sqrt(static_cast<double>(s.depth()) + 1);
  for (std::size_t i = 0; i < y.size(); ++i) ASSERT_NEAR(y[i], expected[i], tolerance) << describe(s) << " at " << i;
}

}  // namespace skerry::kernels::testing
