#include <algorithm>
#include <cmath>
#include <limits>

#include "ops/nn/reference.hpp"
#include "ops/nn/refuse_numbers.hpp"

namespace skerry::ops {
namespace {

constexpr std::size_t kRoiNumbers = 5;  // image, x1, y1, x2, y2

struct Pooled {
  std::int64_t height, width;
};
Pooled pooled_of(const Node& node) {
  const std::vector<std::int64_t> extents = node.integers("pooled_shape");
  constexpr std::int64_t kMost = std::int64_t{1} << 20;
  if (extents.size() != 2)
    refuse_numbers(node, "pooled_shape has # numbers, not 2", {static_cast<std::int64_t>(extents.size())});
  for (const std::int64_t extent : extents) {
    if (extent < 1 || extent > kMost) refuse_numbers(node, "pooled_shape has #", {extent});
  }
  return {extents[0], extents[1]};
}

void infer(TypeContext& context) {
  require(context, 0, kernels::Reals{});
  require_same(context, 0, 1);
  const TensorType &x = input(context, 0), &rois = input(context, 1);
  const auto [height, width] = pooled_of(context.node);
  Dims out(4);
  out[2].value = height;
  out[3].value = width;
  if (require_rank(context, 1, 2, 2)) {
    const Dim& numbers = (*rois.shape)[1];
    if (numbers.is_known() && numbers.value != static_cast<std::int64_t>(kRoiNumbers))
      refuse_numbers(context.node, "regions have # numbers, not 5", {numbers.value});
    out[0] = (*rois.shape)[0];
  }
  if (require_rank(context, 0, 4, 4)) out[1] = (*x.shape)[1];
  set_output(context, 0, x.dtype, std::move(out));
}

// One axis of a region cut into bins that may overlap by a pixel.
struct Span {
  std::int64_t begin, length, extent;

  Span(double from, double to, double scale, std::int64_t of)
      : begin(place_of(std::round(from * scale))),
        length(std::max<std::int64_t>(place_of(std::round(to * scale)) - begin + 1, 1)),
        extent(of) {}
  // Bin i of n: from floor(i length / n) to ceil((i + 1) length / n), as far as the image goes.
  std::int64_t first(std::int64_t i, std::int64_t n) const { return inside(begin + i * length / n); }
  std::int64_t end(std::int64_t i, std::int64_t n) const { return inside(begin + ((i + 1) * length + n - 1) / n); }
  std::int64_t inside(std::int64_t at) const { return std::clamp<std::int64_t>(at, 0, extent); }
};

// The largest element of a bin; 0 of one without elements.
void run(const Node& node, const KernelArguments& a) {
  const Doubles x = doubles(a.inputs[0]);
  const std::vector<double> rois = doubles(a.inputs[1]);
  const Shape xs = a.inputs[0].shape();
  const double scale = node.real("spatial_scale", 1.0);
  const auto [height, width] = pooled_of(node);
  Doubles y;
  y.reserve(static_cast<std::size_t>(a.outputs[0].elements()));
  for (std::size_t r = 0; r + kRoiNumbers <= rois.size(); r += kRoiNumbers) {
    const std::int64_t image = place_of(rois[r]);
    if (image < 0 || image >= xs[0]) outside("a region is of image " + std::to_string(image));
    const Span across(rois[r + 1], rois[r + 3], scale, xs[3]), down(rois[r + 2], rois[r + 4], scale, xs[2]);
    for (std::int64_t bin = 0; bin < xs[1] * height * width; ++bin) {
      const std::int64_t px = bin % width, py = bin / width % height, c = bin / width / height;
      const double* plane = x.data() + (image * xs[1] + c) * xs[2] * xs[3];
      const std::int64_t left = across.first(px, width), right = across.end(px, width);
      const std::int64_t top = down.first(py, height), bottom = down.end(py, height);
      base::check_stop();
      double most = left < right && top < bottom ? -std::numeric_limits<double>::infinity() : 0.0;
      for (std::int64_t row = top; row < bottom; ++row) {
        base::check_stop();
        for (std::int64_t column = left; column < right; ++column) {
          const double value = plane[row * xs[3] + column];
          if (value > most || std::isnan(value)) most = value;
        }
      }
      y.push_back(most);
    }
  }
  store(y, a.outputs[0]);
}

Cost can(const Node& node, const NodeTypes& types) {
  if (!kernels::Reals::contains(types.inputs[0].dtype)) return no_kernel(types.inputs[0].dtype);
  const auto [height, width] = pooled_of(node);
  const Shape x = *types.inputs[0].static_shape(), rois = *types.inputs[1].static_shape();
  // At most: each region is the whole image, and bins share the pixels between them.
  const double pixels = static_cast<double>(x[2] + 2 * height) * static_cast<double>(x[3] + 2 * width);
  return scalar_steps(types, static_cast<double>(rois[0]) * static_cast<double>(x[1]) * pixels);
}

constexpr KernelRow kKernels[] = {kReference<run, can>[0]};

}  // namespace

extern const OpRecord maxroipool_record;
const OpRecord maxroipool_record = {
    .name = "MaxRoiPool",
    .since_opset = 22,
    .help =
        "The largest element of each of pooled_shape bins of regions of X [N, C, H, W], reals; rois [count, 5] are "
        "image, "
        "x1, y1, x2, y2 times spatial_scale, rounded, ends included. 0 of a bin outside.",
    .inputs = 2,
    .infer = infer,
    .kernels = kKernels,
};

}  // namespace skerry::ops
