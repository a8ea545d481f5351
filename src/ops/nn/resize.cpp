#include <algorithm>
#include <array>
#include <cmath>
#include <memory>

#include "kernels/tensor/mapped.hpp"
#include "kernels/tensor/weighted.hpp"
#include "ops/nn/reference.hpp"
#include "ops/nn/resized.hpp"
#include "ops/nn/widened.hpp"

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
      base::check_stop();
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

// Longer axes would need tables as large as tensors.
constexpr std::int64_t kMostIndex = std::int64_t{1} << 31, kMostEntries = std::int64_t{1} << 24;

bool is_nearest(const Node& node) {
  return node.text("mode", "nearest") == "nearest";
}
bool is_same(const ResizedAxis& r) {
  return r.output == r.input && r.scale == 1.0 && r.roi_begin == 0.0 && r.roi_end == 1.0;
}

// The axes where region, scales and sizes are known beforehand.
std::optional<std::vector<ResizedAxis>> axes_of(const Node& node, const NodeTypes& types) {
  std::array<TensorView, 4> views;
  for (std::size_t i = 1; i < std::min<std::size_t>(types.inputs.size(), 4); ++i) {
    if (!types.present[i]) continue;
    if (types.constants[i] == nullptr) return std::nullopt;
    views[i] = types.constants[i]->view();
  }
  return resized(node, *types.inputs[0].static_shape(), views[1], views[2], views[3]);
}

// How many elements a result along an axis is made of.
double taps_in(const Node& node, const ResizedAxis& r) {
  if (is_nearest(node)) return 1.0;
  const double stretch = node.integer("antialias", 0) != 0 ? std::min(r.scale, 1.0) : 1.0;
  return (node.text("mode", "nearest") == "cubic" ? 4.0 : 2.0) / stretch;
}

Expected<std::vector<ResizedAxis>> tabled_axes(const Node& node, const NodeTypes& types) {
  const std::int64_t in = elements(types.inputs[0]), out = elements(types.outputs[0]);
  if (in == 0 || out == 0) return Unexpected{"no elements"};
  if (in >= kMostIndex || out >= kMostIndex) return Unexpected{"more elements than an index counts"};
  auto axes = axes_of(node, types);
  if (!axes) return Unexpected{"scales or sizes are known only when it runs"};
  for (const ResizedAxis& r : *axes) {
    if (static_cast<double>(r.output) * taps_in(node, r) > static_cast<double>(kMostEntries))
      return Unexpected{"an axis of " + std::to_string(r.output) + " elements"};
  }
  return std::move(*axes);
}

Cost can_nearest(const Node& node, const NodeTypes& types) {
  if (!is_nearest(node)) return Unexpected{"not the nearest element"};
  if (!kernels::Numbers::contains(types.inputs[0].dtype)) return no_kernel(types.inputs[0].dtype);
  if (const auto axes = tabled_axes(node, types); !axes) return Unexpected{axes.error()};
  return element_steps(types, 0.4);
}

Prepared prepare_nearest(const Node& node, const NodeTypes& types) {
  const auto axes = *axes_of(node, types);
  const Shape x = *types.inputs[0].static_shape(), y = *types.outputs[0].static_shape();
  const auto source = [&](std::size_t axis, std::int64_t i) -> std::int64_t {
    if (is_same(axes[axis])) return i;
    const Taps taps = taps_of(node, axes[axis], i);
    return taps.outside ? -1 : std::clamp<std::int64_t>(taps.first, 0, axes[axis].input - 1);
  };
  std::array<std::byte, 8> fill{};
  store(Doubles{node.real("extrapolation_value", 0.0)},
        MutableTensorView(types.inputs[0].dtype, Shape{1}, fill.data()));
  // shared: std::function copies its target
  const auto copy = std::make_shared<const kernels::MappedCopy>(x, y, source);
  return {[copy, fill](const KernelArguments& a) { copy->run(a.inputs[0], fill.data(), a.outputs[0]); }, 0,
          copy->bytes()};
}

Cost can_weighted(const Node& node, const NodeTypes& types) {
  if (!is_f32(types)) return no_kernel(types.inputs[0].dtype);
  if (is_nearest(node)) return Unexpected{"the nearest element needs no weights"};
  if (node.text("coordinate_transformation_mode", "half_pixel") == "tf_crop_and_resize")
    return Unexpected{"a region that may lie outside"};
  const auto axes = tabled_axes(node, types);
  if (!axes) return Unexpected{axes.error()};
  double steps = 0.0, size = static_cast<double>(elements(types.inputs[0]));
  for (std::size_t i = axes->size(); i-- > 0;) {
    const ResizedAxis& r = (*axes)[i];
    if (is_same(r)) continue;
    size *= static_cast<double>(r.output) / static_cast<double>(r.input);
    steps += size * taps_in(node, r) * (i + 1 == axes->size() ? 0.6 : 0.1);
  }
  if (steps == 0.0) return Unexpected{"nothing changes"};
  return scalar_steps(types, steps);
}

// Tables for all results along an axis, as long as the longest.
kernels::ResizeF32::Axis weighted_axis(const Node& node, const ResizedAxis& r) {
  kernels::ResizeF32::Axis axis;
  axis.input = r.input;
  axis.output = r.output;
  const auto count = static_cast<std::size_t>(r.output);
  for (std::size_t k = 0; k < count; ++k) {
    const Taps taps = taps_of(node, r, static_cast<std::int64_t>(k));
    axis.taps = std::max(axis.taps, taps.weights.size());
    axis.index.resize(axis.taps * count, 0);
    axis.weight.resize(axis.taps * count, 0.0F);
    for (std::size_t t = 0; t < taps.weights.size(); ++t) {
      const auto from = std::clamp<std::int64_t>(taps.first + static_cast<std::int64_t>(t), 0, r.input - 1);
      axis.index[t * count + k] = static_cast<std::int32_t>(from);
      axis.weight[t * count + k] = static_cast<float>(taps.weights[t]);
    }
  }
  return axis;
}

// From the last axis to the first: neighbours are fetched one by one while there are fewest of them.
Prepared prepare_weighted(const Node& node, const NodeTypes& types) {
  const auto axes = *axes_of(node, types);
  const Shape shape = *types.inputs[0].static_shape();
  std::vector<std::int64_t> dims(shape.dims().begin(), shape.dims().end());
  std::vector<kernels::ResizeF32::Axis> passes;
  for (std::size_t i = axes.size(); i-- > 0;) {
    if (is_same(axes[i])) continue;
    passes.push_back(weighted_axis(node, axes[i]));
    const AxisLoops l(Shape(dims), i);
    passes.back().outer = l.outer;
    passes.back().inner = l.inner;
    dims[i] = axes[i].output;
  }
  // shared: std::function copies its target
  const auto resize = std::make_shared<const kernels::ResizeF32>(std::move(passes));
  return {[resize](const KernelArguments& a) {
            resize->run(a.inputs[0].as<float>().data(), a.outputs[0].as<float>().data(), a.scratch);
          },
          resize->scratch_bytes(), resize->bytes()};
}

// Each axis makes a copy; each element of it is a few steps for each element that it is made of.
Cost can_ref(const Node& node, const NodeTypes& types) {
  const double reach = is_nearest(node) ? 1.0 : node.text("mode", "nearest") == "cubic" ? 4.0 : 2.0;
  return can_reference_at(types, node, 10.0 + 8.0 * reach);
}

constexpr KernelRow kKernels[] = {{"resize_nearest", can_nearest, prepare_nearest},
                                  {"resize_f32", can_weighted, prepare_weighted},
                                  kThroughF32,
                                  kReference<run, can_ref>[0]};

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
    .kernels = kKernels,
};

}  // namespace skerry::ops
