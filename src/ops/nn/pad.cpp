#include <algorithm>
#include <array>
#include <cstring>
#include <memory>

#include "kernels/tensor/mapped.hpp"
#include "ops/nn/kernel_rows.hpp"
#include "ops/nn/typing.hpp"
#include "ops/nn/upgrading.hpp"

namespace skerry::ops {
namespace {

enum class PadMode : std::uint8_t { constant, reflect, edge, wrap };

PadMode mode_of(const Node& node) {
  const std::string mode = node.text("mode", "constant");
  if (mode == "constant") return PadMode::constant;
  if (mode == "reflect") return PadMode::reflect;
  if (mode == "edge") return PadMode::edge;
  if (mode == "wrap") return PadMode::wrap;
  refuse(node, "mode is '" + mode + "'", "use constant, reflect, edge or wrap");
}

struct Pads {
  std::vector<std::int64_t> before, after;
};

// Nothing when they are not known yet.
std::optional<Pads> pads_of(const Node& node, std::size_t rank, std::span<const Tensor* const> constants) {
  const bool has_axes = has_input(node, 3);
  if (constants[1] == nullptr || (has_axes && constants[3] == nullptr)) return std::nullopt;
  const auto values = integers_of(node, *constants[1]);
  std::vector<std::size_t> axes;
  if (has_axes) {
    axes = normal_axes(node, integers_of(node, *constants[3]), rank);
  } else {
    for (std::size_t axis = 0; axis < rank; ++axis) axes.push_back(axis);
  }
  if (values.size() != 2 * axes.size())
    refuse(node, std::to_string(values.size()) + " pads for " + std::to_string(axes.size()) + " axes");
  Pads pads{std::vector<std::int64_t>(rank, 0), std::vector<std::int64_t>(rank, 0)};
  for (std::size_t i = 0; i < axes.size(); ++i) {
    pads.before[axes[i]] = values[i];
    pads.after[axes[i]] = values[axes.size() + i];
  }
  return pads;
}

Dim padded(const Node& node, const Dim& extent, std::int64_t before, std::int64_t after) {
  if (before == 0 && after == 0) return extent;
  if (!extent.is_known()) return {};
  std::int64_t out = 0;
  if (__builtin_add_overflow(before, after, &out) || __builtin_add_overflow(out, extent.value, &out) || out < 0)
    refuse(node, "an axis of " + std::to_string(extent.value) + " elements padded by " + std::to_string(before) +
                     " and " + std::to_string(after));
  if (extent.value == 0 && out > 0 && mode_of(node) != PadMode::constant)
    refuse(node, "an axis without elements has none to repeat");
  return out;
}

void infer(TypeContext& context) {
  const Node& node = context.node;
  const TensorType& x = input(context, 0);
  mode_of(node);
  require(context, 1, kernels::Types<std::int32_t, std::int64_t>{});
  // f32: an attribute of an older form.
  if (const TensorType* value = optional_input(context, 2); value != nullptr && value->dtype != DType::f32)
    require_same(context, 0, 2);
  if (!x.shape) return set_output(context, 0, x.dtype, std::nullopt);
  const auto pads = pads_of(node, x.shape->size(), context.constants);
  Dims shape(x.shape->size());
  for (std::size_t axis = 0; pads && axis < shape.size(); ++axis)
    shape[axis] = padded(node, (*x.shape)[axis], pads->before[axis], pads->after[axis]);
  set_output(context, 0, x.dtype, shape);
}

void upgrade(UpgradeContext& context) {
  integers_to_input(context, "paddings", 1);
  integers_to_input(context, "pads", 1);
  // The value 0 is the default.
  if (context.node.real("value", 0.0) != 0.0) real_to_input(context, "value", 2);
  context.node.erase("value");
}

bool has_value(const NodeTypes& types) {
  return types.inputs.size() > 2 && types.present[2];
}

Cost can(const Node& node, const NodeTypes& types) {
  if (types.constants[1] == nullptr || (has_input(node, 3) && types.constants[3] == nullptr))
    return Unexpected{"pads or axes are known only when it runs"};
  if (has_value(types) && types.inputs[2].dtype != types.inputs[0].dtype &&
      !kernels::Numbers::contains(types.inputs[0].dtype))
    return no_kernel(types.inputs[0].dtype);
  if (auto movable = can_move(node, types); !movable) return movable;
  return row_copies(types, rows_of(types.outputs[0]));
}

// One element of x's dtype, as bytes.
std::array<std::byte, 16> value_of(const TensorView& value, DType dtype) {
  std::array<std::byte, 16> out{};
  if (value.dtype() == dtype) {
    std::copy_n(value.data(), static_cast<std::size_t>(dtype_bits(dtype)) / 8, out.begin());
  } else {
    kernels::visit(kernels::Numbers{}, dtype, [&]<class T>() {
      const T converted = kernels::convert<T>(value.as<float>()[0]);
      std::memcpy(out.data(), &converted, sizeof(T));
    });
  }
  return out;
}

// Where position i of the padded axis comes from, -1 for the pad value.
std::int64_t source_index(std::int64_t i, std::int64_t extent, PadMode mode) {
  if (i >= 0 && i < extent) return i;
  switch (mode) {
    case PadMode::constant:
      return -1;
    case PadMode::edge:
      return std::clamp<std::int64_t>(i, 0, extent - 1);
    case PadMode::wrap:
      return ((i % extent) + extent) % extent;
    case PadMode::reflect: {
      const std::int64_t period = std::max<std::int64_t>(2 * (extent - 1), 1);
      const std::int64_t phase = ((i % period) + period) % period;
      return phase < extent ? phase : period - phase;
    }
  }
  return -1;
}

Prepared prepare(const Node& node, const NodeTypes& types) {
  const Shape x = *types.inputs[0].static_shape(), y = *types.outputs[0].static_shape();
  const Pads pads = *pads_of(node, static_cast<std::size_t>(x.rank()), types.constants);
  const PadMode mode = mode_of(node);
  // shared: std::function copies its target
  const auto copy = std::make_shared<const kernels::MappedCopy>(x, y, [&](std::size_t axis, std::int64_t i) {
    return source_index(i - pads.before[axis], x[static_cast<int>(axis)], mode);
  });
  return {[copy, given = has_value(types)](const KernelArguments& a) {
            const auto value = given ? value_of(a.inputs[2], a.inputs[0].dtype()) : std::array<std::byte, 16>{};
            copy->run(a.inputs[0], value.data(), a.outputs[0]);
          },
          0, copy->bytes()};
}

constexpr KernelRow kKernels[] = {{"pad", can, prepare}};

}  // namespace

extern const OpRecord pad_record;
const OpRecord pad_record = {
    .name = "Pad",
    .since_opset = 25,
    .help =
        "x with elements put before and behind each of `axes` (default all): pads holds the counts before, then "
        "those behind; negative ones cut off. Mode constant puts `value` (a scalar of x's dtype, default 0), edge "
        "repeats the border, reflect mirrors without it, wrap starts over at the other end. Any dtype of whole "
        "bytes.",
    .infer = infer,
    .upgrade = upgrade,
    .kernels = kKernels};

}  // namespace skerry::ops
