#include "passes/quant/weights.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>

#include "kernels/tensor/quantize.hpp"
#include "kernels/tensor/small_types.hpp"
#include "ops/nn/op_record.hpp"

namespace skerry::passes::quant {
namespace {

using kernels::ScaleLayout;

// Scales that are tried for four bits, as shares of the one that holds the largest element.
constexpr int kTriedShares = 24;
constexpr float kLeastShare = 0.55F;
// At 32 bits a scale, blocks of fewer cost as much as they save.
constexpr std::int64_t kLeastBlock = 16;

ScaleLayout along(const Shape& shape, std::int64_t axis) {
  ScaleLayout out;
  for (int i = 0; i < shape.rank(); ++i) (i < axis ? out.outer : i == axis ? out.length : out.inner) *= shape[i];
  out.scales = out.length;
  return out;
}

// Which scale element [outer, at, inner] has.
template <class F>
void for_each_element(const ScaleLayout& l, F&& f) {
  std::size_t element = 0;
  for (std::int64_t outer = 0; outer < l.outer; ++outer) {
    for (std::int64_t at = 0; at < l.length; ++at) {
      const std::int64_t first = l.per_inner ? (outer * l.scales + at / l.block) * l.inner : at / l.block;
      for (std::int64_t inner = 0; inner < l.inner; ++inner)
        f(element++, static_cast<std::size_t>(l.per_inner ? first + inner : first));
    }
  }
}

std::size_t groups_of(const ScaleLayout& l) {
  return static_cast<std::size_t>(l.per_inner ? l.outer * l.scales * l.inner : l.scales);
}

std::vector<float> largest(std::span<const float> w, const ScaleLayout& layout) {
  std::vector<float> out(groups_of(layout), 0.0F);
  for_each_element(layout, [&](std::size_t i, std::size_t g) { out[g] = std::max(out[g], std::abs(w[i])); });
  return out;
}

// A group of zeros, or of numbers that no scale can reach, has the scale 1.
float scale_for(float largest, float levels) {
  const float scale = largest / levels;
  return scale > std::numeric_limits<float>::min() && std::isfinite(scale) ? scale : 1.0F;
}

float level(float x, float scale, float low, float high) {
  return std::clamp(std::nearbyint(x / scale), low, high);
}

std::vector<float> best_scales(std::span<const float> w, const ScaleLayout& layout) {
  const std::vector<float> most = largest(w, layout);
  std::vector<float> best(most.size()), tried(most.size());
  std::vector<double> least(most.size(), std::numeric_limits<double>::infinity()), error(most.size());
  for (int t = 0; t <= kTriedShares; ++t) {
    const float share = 1.0F - (1.0F - kLeastShare) * static_cast<float>(t) / kTriedShares;
    for (std::size_t g = 0; g < most.size(); ++g) tried[g] = scale_for(most[g] * share, 7.0F);
    std::ranges::fill(error, 0.0);
    for_each_element(layout, [&](std::size_t i, std::size_t g) {
      const double off = static_cast<double>(level(w[i], tried[g], -8.0F, 7.0F) * tried[g] - w[i]);
      error[g] += off * off;
    });
    for (std::size_t g = 0; g < most.size(); ++g)
      if (error[g] < least[g]) least[g] = error[g], best[g] = tried[g];
  }
  return best;
}

}  // namespace

SmallWeights eight_bits(const Tensor& weights, std::int64_t axis, bool per_channel) {
  const Tensor dense = ops::aligned_copy(weights);
  const auto w = dense.as<float>();
  ScaleLayout layout = along(weights.shape(), axis);
  if (!per_channel) layout = {.inner = weights.shape().elements()};
  std::vector<float> scales = largest(w, layout);
  for (float& scale : scales) scale = scale_for(scale, 127.0F);
  SmallWeights out{.q = Tensor(DType::i8, weights.shape()), .scale = {}, .axis = axis, .block = 0};
  const auto q = out.q.mutable_view().as<std::int8_t>();
  for_each_element(layout, [&](std::size_t i, std::size_t g) {
    q[i] = static_cast<std::int8_t>(level(w[i], scales[g], -127.0F, 127.0F));
  });
  out.scale = Tensor::from<float>(scales, per_channel ? Shape({static_cast<std::int64_t>(scales.size())})
                                                      : Shape(std::initializer_list<std::int64_t>{}));
  return out;
}

bool fits_four_bits(const Tensor& weights, std::int64_t axis) noexcept {
  return weights.shape()[static_cast<int>(axis)] >= kLeastBlock;
}

SmallWeights four_bits(const Tensor& weights, std::int64_t axis, std::int64_t block) {
  const Tensor dense = ops::aligned_copy(weights);
  const auto w = dense.as<float>();
  ScaleLayout layout = along(weights.shape(), axis);
  layout.block = std::min(block, std::max<std::int64_t>(layout.length, 1));
  layout.scales = (layout.length + layout.block - 1) / layout.block;
  layout.per_inner = true;
  std::vector<std::int64_t> dims(weights.shape().dims().begin(), weights.shape().dims().end());
  dims[static_cast<std::size_t>(axis)] = layout.scales;
  SmallWeights out{.q = Tensor(DType::i4, weights.shape()), .scale = {}, .axis = axis, .block = layout.block};
  const std::vector<float> scales = best_scales(w, layout);
  std::vector<float> levels(w.size());
  for_each_element(layout, [&](std::size_t i, std::size_t g) { levels[i] = level(w[i], scales[g], -8.0F, 7.0F); });
  kernels::encode_small(levels, true, out.q.mutable_view());
  out.scale = Tensor::from<float>(scales, Shape(std::span<const std::int64_t>(dims)));
  return out;
}

SmallWeights whole_bias(const Tensor& bias, float x_scale, const Tensor& w_scale) {
  const Tensor dense = ops::aligned_copy(bias);
  const auto b = dense.as<float>(), per_output = w_scale.as<float>();
  const auto length = static_cast<std::int64_t>(b.size());
  SmallWeights out{.q = Tensor(DType::i32, {length}), .scale = Tensor(DType::f32, w_scale.shape()), .axis = 0};
  const auto q = out.q.mutable_view().as<std::int32_t>();
  const auto scales = out.scale.mutable_view().as<float>();
  for (std::size_t i = 0; i < scales.size(); ++i) scales[i] = x_scale * per_output[i];
  for (std::size_t i = 0; i < b.size(); ++i) {
    const double at = static_cast<double>(b[i]) / static_cast<double>(scales[scales.size() == 1 ? 0 : i]);
    constexpr double kMost = 2147483520.0;  // the largest f32 below 2^31: other runtimes dequantise in f32
    q[i] = static_cast<std::int32_t>(std::clamp(std::nearbyint(at), -kMost, kMost));
  }
  return out;
}

}  // namespace skerry::passes::quant
