#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "ops/nn/reference.hpp"

namespace skerry::ops {
namespace {

// A pixel's share of a region; more is a region without a size.
constexpr double kMostSamples = 0x1p20;

// The four weighted neighbours of a point.
std::array<double, 4> sample(const double* plane, std::int64_t height, std::int64_t width, double y, double x) {
  const bool inside = y >= -1.0 && y <= static_cast<double>(height) && x >= -1.0 && x <= static_cast<double>(width);
  if (!inside) return {};  // NaN too
  y = std::clamp(y, 0.0, static_cast<double>(height - 1));
  x = std::clamp(x, 0.0, static_cast<double>(width - 1));
  const auto y0 = static_cast<std::int64_t>(y), x0 = static_cast<std::int64_t>(x);
  const std::int64_t y1 = std::min(y0 + 1, height - 1), x1 = std::min(x0 + 1, width - 1);
  const double fy = y - static_cast<double>(y0), fx = x - static_cast<double>(x0);
  return {(1 - fy) * (1 - fx) * plane[y0 * width + x0], (1 - fy) * fx * plane[y0 * width + x1],
          fy * (1 - fx) * plane[y1 * width + x0], fy * fx * plane[y1 * width + x1]};
}

void infer(TypeContext& context) {
  require(context, 0, kernels::Reals{});
  const TensorType &x = input(context, 0), &rois = input(context, 1);
  Dims out(4);
  if (rois.shape && !rois.shape->empty()) out[0] = rois.shape->front();
  if (x.shape && x.shape->size() == 4) out[1] = (*x.shape)[1];
  out[2] = Dim(context.node.integer("output_height", 1));
  out[3] = Dim(context.node.integer("output_width", 1));
  set_output(context, 0, x.dtype, std::move(out));
}

void run(const Node& node, const KernelArguments& a) {
  const auto x = doubles(a.inputs[0]), rois = doubles(a.inputs[1]);
  const auto images = longs(a.inputs[2]);
  const Shape xs = a.inputs[0].shape(), ys = a.outputs[0].shape();
  if (xs.rank() != 4 || a.inputs[1].shape().rank() != 2 || a.inputs[1].shape()[1] != 4 ||
      ys.elements() / std::max<std::int64_t>(ys[1] * ys[2] * ys[3], 1) > a.inputs[1].shape()[0] || ys[1] != xs[1] ||
      xs[2] < 1 || xs[3] < 1)
    outside("rois are [count, 4] for an input of 4 axes");
  const double scale = node.real("spatial_scale", 1.0);
  const bool half = node.text("coordinate_transformation_mode", "half_pixel") == "half_pixel",
             mean = node.text("mode", "avg") == "avg";
  const std::int64_t ratio = node.integer("sampling_ratio", 0);
  Doubles y;
  for (std::int64_t i = 0; i < ys.elements(); ++i) {
    const std::int64_t px = i % ys[3], py = i / ys[3] % ys[2], c = i / ys[3] / ys[2] % ys[1],
                       r = i / ys[3] / ys[2] / ys[1];
    const double* roi = rois.data() + 4 * r;
    const double offset = half ? 0.5 : 0.0, x0 = roi[0] * scale - offset, y0 = roi[1] * scale - offset;
    double width = roi[2] * scale - offset - x0, height = roi[3] * scale - offset - y0;
    if (!half) width = std::max(width, 1.0), height = std::max(height, 1.0);
    const double bin_w = width / static_cast<double>(ys[3]), bin_h = height / static_cast<double>(ys[2]);
    const auto across = place_of(ratio > 0 ? static_cast<double>(ratio) : std::ceil(bin_w));
    const auto down = place_of(ratio > 0 ? static_cast<double>(ratio) : std::ceil(bin_h));
    if (!(static_cast<double>(across) * static_cast<double>(down) <= kMostSamples))
      outside("region " + std::to_string(r) + " has more than 2^20 samples a pixel");
    const double* plane =
        x.data() + (within(images.at(static_cast<std::size_t>(r)), xs[0]) * xs[1] + c) * xs[2] * xs[3];
    double sum = 0.0, most = -std::numeric_limits<double>::infinity();
    for (std::int64_t k = 0; k < across * down; ++k) {
      const std::int64_t row = k / across, column = k % across;
      const double sy =
          y0 + (static_cast<double>(py) + (static_cast<double>(row) + 0.5) / static_cast<double>(down)) * bin_h;
      const double sx =
          x0 + (static_cast<double>(px) + (static_cast<double>(column) + 0.5) / static_cast<double>(across)) * bin_w;
      const auto corners = sample(plane, xs[2], xs[3], sy, sx);
      sum += corners[0] + corners[1] + corners[2] + corners[3];
      most = std::max(most, std::ranges::max(corners));
    }
    y.push_back(mean ? (across * down > 0 ? sum / static_cast<double>(across * down) : 0.0) : most);
  }
  store(y, a.outputs[0]);
}

}  // namespace

extern const OpRecord roialign_record;
const OpRecord roialign_record = {
    .name = "RoiAlign",
    .since_opset = 22,
    .help =
        "Crops of X [N, C, H, W] by rois [count, 4], each pooled to output_height x output_width by bilinear samples; "
        "mode avg or max. Reals.",
    .inputs = 3,
    .infer = infer,
    .kernels = kReference<run>,
};

}  // namespace skerry::ops
