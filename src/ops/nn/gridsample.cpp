#include <algorithm>
#include <cmath>

#include "ops/nn/reference.hpp"

namespace skerry::ops {
namespace {

class Sampler {
 public:
  Sampler(const Node& node, const Shape& x)
      : mode_(node.text("mode", "linear")),
        padding_(node.text("padding_mode", "zeros")),
        corners_(node.integer("align_corners", 0) != 0) {
    for (int i = 2; i < x.rank(); ++i) extents_.push_back(x[i]);
  }

  // Axis by axis from the outermost: the grid names the innermost first.
  double at(const double* plane, const double* point, std::size_t axis, std::int64_t offset) const {
    if (axis == extents_.size()) return plane[offset];
    const auto extent = static_cast<double>(extents_[axis]);
    const double where = point[extents_.size() - 1 - axis];
    double x = corners_ ? (where + 1.0) / 2.0 * (extent - 1.0) : ((where + 1.0) * extent - 1.0) / 2.0;
    if (mode_ != "cubic" && mode_ != "bicubic") x = placed(x, extent);
    const auto sum_of = [&](std::int64_t first, std::initializer_list<double> weights) {
      double sum = 0.0;
      for (const double weight : weights) {
        std::int64_t k = first++;
        if (padding_ != "zeros")
          k = std::clamp<std::int64_t>(place_of(placed(static_cast<double>(k), extent)), 0, extents_[axis] - 1);
        if (weight != 0.0 && k >= 0 && k < extents_[axis])
          sum += weight * at(plane, point, axis + 1, offset * extents_[axis] + k);
      }
      return sum;
    };
    if (mode_ == "nearest") return sum_of(place_of(std::nearbyint(x)), {1.0});
    const double low = std::floor(x), f = x - low;
    if (mode_ == "linear" || mode_ == "bilinear") return sum_of(place_of(low), {1.0 - f, f});
    constexpr double c = -0.75;
    const auto near = [](double t) { return ((c + 2.0) * t - (c + 3.0)) * t * t + 1.0; };
    const auto far = [](double t) { return ((c * t - 5.0 * c) * t + 8.0 * c) * t - 4.0 * c; };
    return sum_of(place_of(low) - 1, {far(1.0 + f), near(f), near(1.0 - f), far(2.0 - f)});
  }

 private:
  double placed(double x, double extent) const {
    if (padding_ == "border") return std::clamp(x, 0.0, extent - 1.0);
    if (padding_ != "reflection") return x;
    const double low = corners_ ? 0.0 : -0.5, high = corners_ ? extent - 1.0 : extent - 0.5, span = high - low;
    if (span <= 0.0) return 0.0;
    double away = std::fmod(std::abs(x - low), 2.0 * span);
    if (away > span) away = 2.0 * span - away;
    return std::clamp(low + away, 0.0, extent - 1.0 + (corners_ ? 0.0 : 0.5));
  }

  std::string mode_, padding_;
  bool corners_;
  std::vector<std::int64_t> extents_;
};

void infer(TypeContext& context) {
  require(context, 0, kernels::Reals{});
  const TensorType &x = input(context, 0), &grid = input(context, 1);
  if (!x.shape || !grid.shape || x.shape->size() < 3 || grid.shape->size() != x.shape->size())
    return set_output(context, 0, x.dtype, std::nullopt);
  Dims out = {(*x.shape)[0], (*x.shape)[1]};
  out.insert(out.end(), grid.shape->begin() + 1, grid.shape->end() - 1);
  set_output(context, 0, x.dtype, std::move(out));
}

void run(const Node& node, const KernelArguments& a) {
  const auto x = doubles(a.inputs[0]), grid = doubles(a.inputs[1]);
  const Shape xs = a.inputs[0].shape(), ys = a.outputs[0].shape();
  const auto axes = static_cast<std::size_t>(xs.rank() - 2);
  const Shape gs = a.inputs[1].shape();
  if (gs[gs.rank() - 1] != static_cast<std::int64_t>(axes) || gs[0] != xs[0] || xs.elements() == 0)
    outside("a grid " + gs.text() + " for an input " + xs.text());
  const Sampler sampler(node, xs);
  const std::int64_t points = ys.elements() / std::max<std::int64_t>(ys[0] * ys[1], 1),
                     plane = xs.elements() / std::max<std::int64_t>(xs[0] * xs[1], 1);
  Doubles y;
  for (std::int64_t p = 0; p < ys[0] * ys[1]; ++p) {
    for (std::int64_t i = 0; i < points; ++i)
      y.push_back(sampler.at(x.data() + p * plane,
                             grid.data() + (p / ys[1] * points + i) * static_cast<std::int64_t>(axes), 0, 0));
  }
  store(y, a.outputs[0]);
}

}  // namespace

extern const OpRecord gridsample_record;
const OpRecord gridsample_record = {
    .name = "GridSample",
    .since_opset = 22,
    .help =
        "X [N, C, space] read at the points of grid [N, out space, axes] in [-1, 1]: mode nearest, linear or cubic; "
        "padding_mode zeros, border or reflection. Reals.",
    .inputs = 2,
    .infer = infer,
    .kernels = kReference<run>,
};

}  // namespace skerry::ops
