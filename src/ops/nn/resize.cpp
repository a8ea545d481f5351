#include <algorithm>
#include <cmath>

#include "ops/nn/reference.hpp"
#include "ops/nn/resized.hpp"

namespace skerry::ops {
namespace {

void infer(TypeContext& context) {
  require(context, 0, kernels::Numbers{});
  const TensorType& x = input(context, 0);
  const auto shape = known_shape(context, 0);
  const auto view = [&](std::size_t i) {
    return i < context.constants.size() && context.constants[i] != nullptr ? context.constants[i]->view()
                                                                           : TensorView();
  };
  if (!shape || (view(2).empty() && view(3).empty()))
    return set_output(context, 0, x.dtype, x.shape ? std::optional<Dims>(Dims(x.shape->size())) : std::nullopt);
  Dims out;
  for (const auto& axis : resized(context.node, *shape, view(1), view(2), view(3))) out.emplace_back(axis.output);
  set_output(context, 0, x.dtype, std::move(out));
}

void run(const Node& node, const KernelArguments& a) {
  const Shape shape = a.inputs[0].shape();
  const auto axes = resized(node, shape, in_view(a, 1), in_view(a, 2), in_view(a, 3));
  auto x = doubles(a.inputs[0]);
  std::vector<std::int64_t> dims(shape.dims().begin(), shape.dims().end());
  for (std::size_t axis = 0; axis < axes.size(); ++axis) {
    const ResizedAxis& r = axes[axis];
    if (r.output == r.input && r.scale == 1.0 && r.roi_begin == 0.0 && r.roi_end == 1.0) continue;
    const AxisLoops l(Shape(dims), axis);
    Doubles y(static_cast<std::size_t>(l.outer * r.output * l.inner));
    for (std::int64_t k = 0; k < r.output; ++k) {
      const Taps taps = taps_of(node, r, k);
      for (std::int64_t o = 0; o < l.outer * l.inner; ++o) {
        double sum = taps.outside ? node.real("extrapolation_value", 0.0) : 0.0;
        for (std::size_t t = 0; !taps.outside && t < taps.weights.size(); ++t) {
          const std::int64_t from =
              std::clamp<std::int64_t>(taps.first + static_cast<std::int64_t>(t), 0, l.length - 1);
          if (taps.weights[t] != 0.0)
            sum +=
                taps.weights[t] * x[static_cast<std::size_t>((o / l.inner * l.length + from) * l.inner + o % l.inner)];
        }
        y[static_cast<std::size_t>((o / l.inner * r.output + k) * l.inner + o % l.inner)] = sum;
      }
    }
    x = std::move(y);
    dims[axis] = r.output;
  }
  if (!kernels::Reals::contains(a.outputs[0].dtype()) && node.text("mode", "nearest") != "nearest") {
    for (double& v : x) v = std::nearbyint(v);
  }
  store(x, a.outputs[0]);
}

}  // namespace

extern const OpRecord resize_record;
const OpRecord resize_record = {
    .name = "Resize",
    .since_opset = 19,
    .help =
        "x at other extents: mode nearest, linear or cubic, coordinates and antialiasing as attributes say, by scales "
        "(input 2) or sizes (input 3). Numbers.",
    .inputs = 1,
    .infer = infer,
    .upgrade =
        [](UpgradeContext& context) {
          if (context.from_opset >= 11) return;
          // Opset 10 has x and scales, and looks at the corner of each element.
          Node& node = context.node;
          node.inputs = {node.inputs[0], kNoValue, node.inputs.size() > 1 ? node.inputs[1] : kNoValue};
          node.set("coordinate_transformation_mode", std::string("asymmetric"));
          node.set("nearest_mode", std::string("floor"));
        },
    .kernels = kReference<run>,
};

}  // namespace skerry::ops
