#include "ops/nn/resized.hpp"

#include <algorithm>
#include <cmath>

namespace skerry::ops {
namespace {

constexpr std::int64_t kMostExtent = std::int64_t{1} << 32;

double origin(const std::string& mode, const ResizedAxis& r, std::int64_t k) {
  const auto x = static_cast<double>(k), in = static_cast<double>(r.input), out = static_cast<double>(r.output);
  const double length = r.scale * in;
  if (mode == "align_corners") return length == 1.0 ? 0.0 : x * (in - 1.0) / (length - 1.0);
  if (mode == "asymmetric") return x / r.scale;
  if (mode == "pytorch_half_pixel") return length == 1.0 ? -0.5 : (x + 0.5) / r.scale - 0.5;
  if (mode == "half_pixel_symmetric") return in / 2.0 * (1.0 - out / length) + (x + 0.5) / r.scale - 0.5;
  if (mode == "tf_crop_and_resize") {
    const double span = (r.roi_end - r.roi_begin) * (in - 1.0);
    return r.roi_begin * (in - 1.0) + (length == 1.0 ? span / 2.0 : x * span / (length - 1.0));
  }
  return (x + 0.5) / r.scale - 0.5;
}

double cubic(double x, double a) {
  x = std::abs(x);
  if (x <= 1.0) return ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0;
  if (x < 2.0) return ((a * x - 5.0 * a) * x + 8.0 * a) * x - 4.0 * a;
  return 0.0;
}

double nearest(const std::string& mode, double x) {
  if (mode == "floor") return std::floor(x);
  if (mode == "ceil") return std::ceil(x);
  if (mode == "round_prefer_ceil") return std::floor(x + 0.5);
  return std::ceil(x - 0.5);
}

}  // namespace

std::vector<ResizedAxis> resized(const Node& node, const Shape& x, TensorView roi, TensorView scales,
                                 TensorView sizes) {
  const auto rank = static_cast<std::size_t>(x.rank());
  std::vector<std::int64_t> all;
  for (std::size_t i = 0; i < rank; ++i) all.push_back(static_cast<std::int64_t>(i));
  const auto axes = normal_axes(node, node.integers("axes", all), rank);
  const auto by = doubles(scales), region = doubles(roi);
  auto to = longs(sizes);
  std::vector<ResizedAxis> out(rank);
  for (std::size_t i = 0; i < rank; ++i) out[i].input = out[i].output = x[static_cast<int>(i)];
  if ((to.empty() ? by.size() : to.size()) != axes.size()) refuse(node, "as many scales or sizes as axes are needed");
  double common = 0.0;
  const std::string policy = node.text("keep_aspect_ratio_policy", "stretch");
  for (std::size_t i = 0; i < axes.size() && !to.empty(); ++i) {
    const double scale = static_cast<double>(to[i]) / static_cast<double>(out[axes[i]].input);
    common = i == 0 ? scale : policy == "not_larger" ? std::min(common, scale) : std::max(common, scale);
  }
  for (std::size_t i = 0; i < axes.size(); ++i) {
    ResizedAxis& r = out[axes[i]];
    const auto in = static_cast<double>(r.input);
    if (region.size() == 2 * axes.size()) r.roi_begin = region[i], r.roi_end = region[axes.size() + i];
    double extent = 0.0;
    if (!to.empty()) {
      r.scale = policy == "stretch" ? static_cast<double>(to[i]) / in : common;
      extent = policy == "stretch" ? static_cast<double>(to[i]) : std::floor(common * in + 0.5);
    } else {
      r.scale = by[i];
      const bool crops = node.text("coordinate_transformation_mode", "half_pixel") == "tf_crop_and_resize";
      extent = std::floor(in * by[i] * (crops ? r.roi_end - r.roi_begin : 1.0));
    }
    if (!(extent >= 0.0 && extent <= static_cast<double>(kMostExtent)) || !(r.scale > 0.0))
      refuse(node,
             "an axis of " + std::to_string(r.input) + " elements cannot be scaled by " + std::to_string(r.scale));
    r.output = static_cast<std::int64_t>(extent);
  }
  return out;
}

Taps taps_of(const Node& node, const ResizedAxis& axis, std::int64_t k) {
  const std::string coordinates = node.text("coordinate_transformation_mode", "half_pixel");
  const std::string mode = node.text("mode", "nearest");
  const double x = origin(coordinates, axis, k);
  Taps taps;
  taps.outside = coordinates == "tf_crop_and_resize" && (x < 0.0 || x > static_cast<double>(axis.input - 1));
  if (mode == "nearest") {
    taps.first = place_of(nearest(node.text("nearest_mode", "round_prefer_floor"), x));
    taps.weights = {1.0};
    return taps;
  }
  // Antialiasing stretches the kernel over what one output covers.
  const double stretch = node.integer("antialias", 0) != 0 ? std::min(axis.scale, 1.0) : 1.0;
  const double reach = (mode == "cubic" ? 2.0 : 1.0) / stretch;
  taps.first = place_of(std::floor(x - reach)) + 1;
  const auto last = place_of(std::ceil(x + reach)) - 1;
  double sum = 0.0;
  for (std::int64_t i = taps.first; i <= last; ++i) {
    const double away = (static_cast<double>(i) - x) * stretch;
    double weight =
        mode == "cubic" ? cubic(away, node.real("cubic_coeff_a", -0.75)) : std::max(0.0, 1.0 - std::abs(away));
    if (node.integer("exclude_outside", 0) != 0 && (i < 0 || i >= axis.input)) weight = 0.0;
    taps.weights.push_back(weight);
    sum += weight;
  }
  for (double& weight : taps.weights) weight = sum == 0.0 ? 0.0 : weight / sum;
  return taps;
}

}  // namespace skerry::ops
