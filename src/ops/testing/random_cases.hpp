/// \file
/// Random cases of operators whose kernels in vectors are held against plain loops. Test code only.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "kernels/tensor/numeric.hpp"
#include "ops/testing/run_node.hpp"

namespace skerry::ops::testing {

using Ints = std::vector<std::int64_t>;
using Random = std::mt19937;

inline std::int64_t between(Random& random, std::int64_t low, std::int64_t high) {
  return std::uniform_int_distribution<std::int64_t>(low, high)(random);
}
inline bool coin(Random& random) {
  return between(random, 0, 1) == 1;
}
template <class T>
T one_of(Random& random, std::vector<T> values) {
  return values[static_cast<std::size_t>(between(random, 0, std::ssize(values) - 1))];
}
inline Attribute flag(Random& random) {
  return between(random, 0, 1);
}

inline Tensor normal(Random& random, const std::vector<std::int64_t>& dims) {
  Tensor out(DType::f32, Shape(dims));
  std::normal_distribution<float> draw;
  for (float& value : out.mutable_view().as<float>()) value = draw(random);
  return out;
}
inline Tensor ints(const Ints& values) {
  return Tensor::from<std::int64_t>(values, Shape{std::ssize(values)});
}
inline std::vector<std::int64_t> extents(Random& random, std::int64_t rank, std::int64_t most) {
  std::vector<std::int64_t> out;
  for (std::int64_t i = 0; i < rank; ++i) out.push_back(between(random, 1, most));
  return out;
}

inline NodeCase resize(Random& random) {
  const std::int64_t rank = between(random, 1, 4);
  const auto dims = extents(random, rank, 9);
  NodeCase c{node_of("Resize"), {normal(random, dims), std::nullopt, std::nullopt, std::nullopt}};
  c.node.set("mode", one_of<std::string>(random, {"nearest", "linear", "cubic"}));
  c.node.set("coordinate_transformation_mode",
             one_of<std::string>(
                 random, {"half_pixel", "align_corners", "asymmetric", "pytorch_half_pixel", "half_pixel_symmetric"}));
  c.node.set("nearest_mode", one_of<std::string>(random, {"round_prefer_floor", "round_prefer_ceil", "floor", "ceil"}));
  c.node.set("antialias", flag(random));
  c.node.set("exclude_outside", flag(random));
  if (coin(random)) {
    std::vector<float> scales;
    for (std::int64_t i = 0; i < rank; ++i) scales.push_back(one_of<float>(random, {1.0F, 2.0F, 1.5F, 3.0F, 1.0F}));
    c.inputs[2] = floats(Shape{rank}, scales);
  } else {
    c.inputs[3] = ints(extents(random, rank, 12));
  }
  return c;
}

inline NodeCase conv_transpose(Random& random) {
  const std::int64_t axes = between(random, 1, 3), groups = between(random, 1, 3);
  const std::int64_t channels = groups * between(random, 1, 5), outputs = between(random, 1, 40);
  std::vector<std::int64_t> x = {between(random, 1, 2), channels}, w = {channels, outputs};
  Ints strides, dilations, pads, extra;
  for (std::int64_t i = 0; i < axes; ++i) {
    x.push_back(between(random, 1, axes == 1 ? 300 : 9));
    w.push_back(between(random, 1, 4));
    strides.push_back(between(random, 1, 3));
    dilations.push_back(between(random, 1, 2));
    extra.push_back(between(random, 0, strides.back() - 1));
  }
  for (std::int64_t i = 0; i < 2 * axes; ++i)
    pads.push_back(std::min<std::int64_t>(between(random, 0, 2), (w[static_cast<std::size_t>(2 + i % axes)] - 1) / 2));
  NodeCase c{
      node_of("ConvTranspose", {{"group", groups}, {"strides", strides}, {"dilations", dilations}, {"pads", pads}}),
      {normal(random, x), normal(random, w), std::nullopt}};
  if (coin(random)) c.node.set("output_padding", extra);
  if (coin(random)) c.inputs[2] = normal(random, {outputs * groups});
  return c;
}

inline NodeCase grouped(Random& random) {
  const std::int64_t groups = between(random, 1, 4), channels = groups * between(random, 1, 5);
  std::vector<std::int64_t> dims = {between(random, 1, 3), channels};
  for (std::int64_t i = between(random, 0, 2); i >= 0; --i) dims.push_back(between(random, 1, 90));
  NodeCase c{node_of("GroupNormalization", {{"num_groups", groups}}),
             {normal(random, dims), normal(random, {channels}), normal(random, {channels})}};
  if (coin(random)) c.node.op = "InstanceNormalization";
  c.node.set("epsilon", 1e-3F);
  return c;
}

inline NodeCase rms(Random& random) {
  const auto dims = extents(random, 3, 20);
  const std::int64_t axis = between(random, 0, 2);
  return {node_of("RMSNormalization", {{"axis", axis}}),
          {normal(random, dims), normal(random, {dims.begin() + axis, dims.end()})}};
}

inline NodeCase along(Random& random, std::string op) {
  auto dims = extents(random, 3, 12);
  dims[static_cast<std::size_t>(between(random, 0, 2))] = between(random, 1, 600);
  NodeCase c{node_of(std::move(op), {{"axis", between(random, -3, 2)}}), {normal(random, dims)}};
  if (c.node.op == "LpNormalization") c.node.set("p", between(random, 1, 2));
  if (c.node.op.starts_with("Arg")) {
    c.node.set("select_last_index", flag(random));
    for (float& v : c.inputs[0]->mutable_view().as<float>()) v = std::round(2.0F * v);  // equal ones among them
    if (coin(random)) c.inputs[0]->mutable_view().as<float>()[0] = std::numeric_limits<float>::quiet_NaN();
  }
  return c;
}

inline NodeCase cumulated(Random& random) {
  return {node_of("CumSum", {{"exclusive", flag(random)}, {"reverse", flag(random)}}),
          {normal(random, extents(random, 3, 20)), ints({between(random, -3, 2)})}};
}

inline NodeCase neighbours(Random& random) {
  return {node_of("LRN", {{"size", between(random, 1, 7)},
                          {"alpha", 0.02F},
                          {"beta", one_of<float>(random, {0.75F, 0.5F})},
                          {"bias", 1.5F}}),
          {normal(random, extents(random, between(random, 2, 4), 20))}};
}

inline NodeCase mean_variance(Random& random) {
  return {
      node_of("MeanVarianceNormalization", {{"axes", one_of<Ints>(random, {{0, 2, 3}, {2, 3}})}}),
      {normal(random, {between(random, 1, 3), between(random, 1, 4), between(random, 2, 9), between(random, 2, 9)})}};
}

inline NodeCase sampled(Random& random) {
  const std::int64_t axes = between(random, 1, 3), images = between(random, 1, 2);
  std::vector<std::int64_t> x = {images, between(random, 1, 4)}, grid = {images};
  for (std::int64_t i = 0; i < axes; ++i) {
    x.push_back(between(random, 1, 8));
    grid.push_back(between(random, 1, axes == 1 ? 700 : 7));
  }
  grid.push_back(axes);
  return {node_of("GridSample", {{"mode", one_of<std::string>(random, {"nearest", "linear", "cubic"})},
                                 {"padding_mode", one_of<std::string>(random, {"zeros", "border", "reflection"})},
                                 {"align_corners", flag(random)}}),
          {normal(random, x), normal(random, grid)}};
}

inline NodeCase regions(Random& random) {
  const std::int64_t count = between(random, 1, 5), side = between(random, 1, 10), images = between(random, 1, 2);
  NodeCase c{node_of("RoiAlign", {{"output_height", between(random, 1, 9)},
                                  {"output_width", side},
                                  {"sampling_ratio", between(random, 0, 3)},
                                  {"spatial_scale", 0.5F}}),
             {normal(random, {images, between(random, 1, 5), 9, 11}), normal(random, {count, 4}), std::nullopt}};
  for (float& v : c.inputs[1]->mutable_view().as<float>()) v = 10.0F + 8.0F * v;
  if (coin(random)) c.node.set("coordinate_transformation_mode", std::string("output_half_pixel"));
  Ints of;
  for (std::int64_t i = 0; i < count; ++i) of.push_back(between(random, -images, images - 1));
  c.inputs[2] = ints(of);
  return c;
}

inline NodeCase columns(Random& random) {
  const std::int64_t axes = between(random, 1, 3);
  Ints image, block, strides, dilations, pads;
  std::int64_t taps = 1, places = 1;
  for (std::int64_t i = 0; i < axes; ++i) {
    block.push_back(between(random, 1, 3));
    dilations.push_back(between(random, 1, 2));
    image.push_back((block.back() - 1) * dilations.back() + between(random, 1, 8));
    strides.push_back(between(random, 1, 3));
  }
  for (std::int64_t i = 0; i < 2 * axes; ++i) pads.push_back(between(random, 0, 2));
  for (std::size_t i = 0; i < static_cast<std::size_t>(axes); ++i) {
    const std::int64_t room =
        image[i] + pads[i] + pads[i + static_cast<std::size_t>(axes)] - dilations[i] * (block[i] - 1) - 1;
    taps *= block[i];
    places *= room / strides[i] + 1;
  }
  return {node_of("Col2Im", {{"strides", strides}, {"dilations", dilations}, {"pads", pads}}),
          {normal(random, {between(random, 1, 2), taps * between(random, 1, 3), places}), ints(image), ints(block)}};
}

inline NodeCase function(Random& random) {
  const auto op = one_of<std::string>(random, {"Celu", "Elu", "Mish", "Selu", "Softsign", "Swish", "ThresholdedRelu",
                                               "Sin", "Cos", "Atan", "Asin", "Acos"});
  NodeCase c{node_of(op), {normal(random, extents(random, 2, 40))}};
  for (float& v : c.inputs[0]->mutable_view().as<float>()) v *= one_of<float>(random, {1e-4F, 0.3F, 1.0F, 30.0F, 1e4F});
  if (op == "Asin" || op == "Acos")
    for (float& v : c.inputs[0]->mutable_view().as<float>()) v = std::clamp(v, -1.0F, 1.0F);
  if (op == "Swish" || op == "Celu" || op == "Elu") c.node.set("alpha", one_of<float>(random, {1.0F, 0.7F, 2.5F}));
  return c;
}

// Some of them equal.
inline NodeCase pair(Random& random) {
  const auto op = one_of<std::string>(
      random, {"Less", "LessOrEqual", "Greater", "GreaterOrEqual", "Equal", "PRelu", "Mean", "Clip", "Max", "Min"});
  const auto dims = extents(random, 3, 30);
  auto other = dims;
  for (auto& extent : other) extent = coin(random) ? extent : 1;
  NodeCase c{node_of(op), {normal(random, dims), normal(random, other)}};
  for (auto& x : c.inputs)
    for (float& v : x->mutable_view().as<float>()) v = std::round(2.0F * v);
  if (op == "Clip") c.inputs = {c.inputs[0], floats({}, {-1.0F}), floats({}, {1.0F})};
  // What is no number stays none, in whichever input.
  if (op != "Clip" && coin(random)) {
    const auto values = c.inputs[coin(random) ? 0 : 1]->mutable_view().as<float>();
    values[values.size() / 2] = std::numeric_limits<float>::quiet_NaN();
  }
  if (op == "Mean" && coin(random)) c.inputs.push_back(normal(random, {dims.back()}));
  return c;
}

inline NodeCase reduced(Random& random) {
  const std::int64_t rank = between(random, 1, 6);
  auto dims = extents(random, rank, 5);
  dims[static_cast<std::size_t>(between(random, 0, rank - 1))] = one_of<std::int64_t>(random, {1, 33, 300});
  Ints axes;
  for (std::int64_t i = 0; i < rank; ++i)
    if (coin(random)) axes.push_back(i);
  NodeCase c{node_of(one_of<std::string>(random, {"ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceL1",
                                                  "ReduceL2", "ReduceSumSquare", "ReduceLogSum", "ReduceLogSumExp"}),
                     {{"noop_with_empty_axes", flag(random)}}),
             {normal(random, dims), ints(axes)}};
  const auto values = c.inputs[0]->mutable_view().as<float>();
  const bool logarithm = c.node.op == "ReduceLogSum", extreme = c.node.op == "ReduceMax" || c.node.op == "ReduceMin";
  for (float& v : values) v = logarithm ? std::abs(v) + 0.1F : v;
  if (extreme && coin(random)) values[values.size() / 2] = std::numeric_limits<float>::quiet_NaN();
  if (c.node.op == "ReduceLogSumExp" && coin(random))
    values[values.size() / 2] = one_of<float>(random, {std::numeric_limits<float>::infinity(), 90.0F});
  return c;
}

// Running sums of numbers that wrap.
inline NodeCase wrapped(Random& random) {
  const Shape shape(extents(random, 3, 20));
  const DType dtype = one_of<DType>(random, {DType::i32, DType::i64, DType::u32, DType::u64, DType::f64});
  Tensor x(dtype, shape);
  kernels::visit(kernels::Numbers(), dtype, [&]<class T>() {
    for (T& v : x.mutable_view().as<T>()) v = kernels::convert<T>(between(random, 0, std::int64_t{1} << 31));
  });
  return {node_of("CumSum", {{"exclusive", flag(random)}, {"reverse", flag(random)}}),
          {x, ints({between(random, -3, 2)})}};
}

inline NodeCase rotated(Random& random) {
  const std::int64_t batch = between(random, 1, 3), heads = between(random, 1, 3), length = between(random, 1, 9),
                     half = between(random, 1, 40), more = 2 * between(random, 0, 2), rows = between(random, 1, 20);
  const bool four = coin(random), chosen = coin(random);
  NodeCase c{node_of("RotaryEmbedding", {{"interleaved", flag(random)}, {"rotary_embedding_dim", 2 * half}}), {}};
  const std::int64_t size = 2 * half + more;
  c.inputs.push_back(four ? normal(random, {batch, heads, length, size})
                          : normal(random, {batch, length, heads * size}));
  if (!four) c.node.set("num_heads", heads);
  for (int i = 0; i < 2; ++i)
    c.inputs.push_back(chosen ? normal(random, {rows, half}) : normal(random, {batch, length, half}));
  if (chosen) {
    Ints places;
    for (std::int64_t i = 0; i < batch * length; ++i) places.push_back(between(random, 0, rows - 1));
    c.inputs.push_back(Tensor::from<std::int64_t>(places, {batch, length}));
  }
  return c;
}

inline NodeCase deformed(Random& random) {
  const std::int64_t groups = between(random, 1, 3), offset_groups = one_of<std::int64_t>(random, {1, groups}),
                     images = between(random, 1, 2), channels = groups * between(random, 1, 3),
                     outputs = groups * between(random, 1, 4);
  Ints kernel = extents(random, 2, 3), image, strides = extents(random, 2, 2), dilations = extents(random, 2, 2), pads,
       out;
  for (int i = 0; i < 4; ++i) pads.push_back(between(random, 0, 2));
  for (std::size_t i = 0; i < 2; ++i) {
    image.push_back((kernel[i] - 1) * dilations[i] + between(random, 1, 18));
    out.push_back((image[i] + pads[i] + pads[i + 2] - (kernel[i] - 1) * dilations[i] - 1) / strides[i] + 1);
  }
  const std::int64_t taps = kernel[0] * kernel[1];
  NodeCase c{node_of("DeformConv", {{"group", groups},
                                    {"offset_group", offset_groups},
                                    {"strides", strides},
                                    {"dilations", dilations},
                                    {"pads", pads}}),
             {normal(random, {images, channels, image[0], image[1]}),
              normal(random, {outputs, channels / groups, kernel[0], kernel[1]}),
              normal(random, {images, 2 * taps * offset_groups, out[0], out[1]}), std::nullopt, std::nullopt}};
  if (coin(random)) c.inputs[3] = normal(random, {outputs});
  if (coin(random)) c.inputs[4] = normal(random, {images, taps * offset_groups, out[0], out[1]});
  return c;
}

inline NodeCase attended(Random& random) {
  const std::int64_t batch = between(random, 1, 2), kv = between(random, 1, 2), heads = kv * between(random, 1, 2),
                     rows = between(random, 1, 5), columns = between(random, 1, 5), size = between(random, 1, 9),
                     v_size = between(random, 1, 9), past = coin(random) ? between(random, 0, 40) : -1;
  const bool packed = coin(random);
  NodeCase c{node_of("Attention", {{"is_causal", flag(random)}}), {}, coin(random) ? std::size_t{3} : 1};
  const auto operand = [&](std::int64_t of, std::int64_t length, std::int64_t width) {
    return packed ? normal(random, {batch, length, of * width}) : normal(random, {batch, of, length, width});
  };
  if (packed) c.node.set("q_num_heads", heads);
  if (packed) c.node.set("kv_num_heads", kv);
  c.inputs = {operand(heads, rows, size), operand(kv, columns, size), operand(kv, columns, v_size), std::nullopt};
  const std::int64_t total = std::max<std::int64_t>(past, 0) + columns;
  if (coin(random)) c.inputs[3] = normal(random, {rows, total});
  if (past >= 0) c.inputs.push_back(normal(random, {batch, kv, past, size}));
  if (past >= 0) c.inputs.push_back(normal(random, {batch, kv, past, v_size}));
  return c;
}

}  // namespace skerry::ops::testing
