#include <algorithm>
#include <limits>

#include "kernels/tensor/movement.hpp"
#include "ops/nn/kernel_rows.hpp"
#include "ops/nn/typing.hpp"
#include "ops/nn/upgrading.hpp"

namespace skerry::ops {
namespace {

using Integers = std::vector<std::int64_t>;

// What one slice asks for along one axis.
struct Cut {
  std::size_t axis;
  std::int64_t start, end, step;
};

// Start and number of elements of a cut through a known extent, after clamping as NumPy does.
struct Range {
  std::int64_t start = 0, count = 0;
};
Range range_of(const Cut& cut, std::int64_t extent) {
  const bool forward = cut.step > 0;
  const auto clamp = [&](std::int64_t at) {
    if (at < 0) at += extent;
    return std::clamp<std::int64_t>(at, forward ? 0 : -1, forward ? extent : extent - 1);
  };
  const std::int64_t start = clamp(cut.start);
  const std::int64_t end = clamp(cut.end);
  const std::int64_t way = forward ? end - start : start - end;
  // The smallest step has no positive twin, but any step past the extent takes one element.
  const std::int64_t stride = forward ? cut.step : -std::max(cut.step, -std::numeric_limits<std::int64_t>::max());
  if (way <= 0) return {0, 0};
  return {start, (way - 1) / stride + 1};
}

std::vector<Cut> cuts_of(const Node& node, std::size_t rank, const Integers& starts, const Integers& ends,
                         const std::optional<Integers>& axes, const std::optional<Integers>& steps) {
  const bool agree = starts.size() == ends.size() && (!axes || axes->size() == starts.size()) &&
                     (!steps || steps->size() == starts.size()) && starts.size() <= rank;
  if (!agree) refuse(node, "starts, ends, axes and steps do not have one length, at most " + std::to_string(rank));
  const auto normal = axes ? normal_axes(node, *axes, rank) : std::vector<std::size_t>();
  std::vector<Cut> cuts;
  for (std::size_t i = 0; i < starts.size(); ++i) {
    cuts.push_back({axes ? normal[i] : i, starts[i], ends[i], steps ? (*steps)[i] : 1});
    if (cuts.back().step == 0) refuse(node, "a step is 0");
  }
  return cuts;
}

// The cuts if all their inputs are known.
std::optional<std::vector<Cut>> constant_cuts(const Node& node, std::size_t rank,
                                              std::span<const Tensor* const> constants) {
  const auto values = [&](std::size_t index) -> std::optional<Integers> {
    if (!has_input(node, index) || constants[index] == nullptr) return std::nullopt;
    return integers_of(node, *constants[index]);
  };
  for (std::size_t index = 1; index < 5; ++index) {
    if ((index < 3 || has_input(node, index)) && !values(index)) return std::nullopt;
  }
  return cuts_of(node, rank, *values(1), *values(2), values(3), values(4));
}

Dim extent_after(const Cut& cut, const Dim& extent) {
  if (extent.is_known()) return range_of(cut, extent.value).count;
  // All of an unknown extent, forwards or backwards, is that extent.
  constexpr std::int64_t kFar = std::numeric_limits<std::int32_t>::max();
  if (cut.step == 1 && cut.start == 0 && cut.end >= kFar) return extent;
  if (cut.step == -1 && cut.start == -1 && cut.end <= -kFar) return extent;
  return {};
}

void follow_data(TypeContext& context, const std::vector<Cut>& cuts) {
  const Dims* from = known_dims(context, 0);
  if (from == nullptr || cuts.size() > 1) return;
  Dims out;
  if (cuts.empty()) {
    out = *from;
  } else {
    const Range range = range_of(cuts[0], static_cast<std::int64_t>(from->size()));
    for (std::int64_t i = 0; i < range.count; ++i)
      out.push_back((*from)[static_cast<std::size_t>(range.start + i * cuts[0].step)]);
  }
  context.output_dims[0] = std::move(out);
}

// The first S rows of a table of positions are S rows: where the table is shorter the model cannot run, which is found
// when S is a number. A table of one row, which spreads, promises nothing.
void first_rows(const TypeContext& context, const std::vector<std::size_t>& cut, Dims& shape) {
  const auto starts = constant_integers(context, 1);
  const Dims* ends = known_dims(context, 2);
  const auto steps = has_input(context.node, 4) ? constant_integers(context, 4) : Integers(cut.size(), 1);
  if (!starts || ends == nullptr || !steps || starts->size() != cut.size() || ends->size() != cut.size() ||
      steps->size() != cut.size())
    return;
  for (std::size_t i = 0; i < cut.size(); ++i) {
    const Dim& extent = (*input(context, 0).shape)[cut[i]];
    if ((*starts)[i] == 0 && (*steps)[i] == 1 && extent.is_known() && extent.value > 1 && !(*ends)[i].is_known())
      shape[cut[i]] = (*ends)[i];
  }
}

void infer(TypeContext& context) {
  const TensorType& x = input(context, 0);
  for (std::size_t i = 1; i < 5; ++i) {
    if (i < 3 || has_input(context.node, i)) require(context, i, kernels::Types<std::int32_t, std::int64_t>{});
  }
  if (!x.shape) return set_output(context, 0, x.dtype, std::nullopt);
  const auto cuts = constant_cuts(context.node, x.shape->size(), context.constants);
  if (!cuts) {
    // Which axes stay whole is told by constant axes alone.
    const auto axes = constant_integers(context, 3);
    Dims shape(x.shape->size());
    if (axes) {
      const auto cut = normal_axes(context.node, *axes, shape.size());
      for (std::size_t axis = 0; axis < shape.size(); ++axis)
        if (std::ranges::find(cut, axis) == cut.end()) shape[axis] = (*x.shape)[axis];
      first_rows(context, cut, shape);
    }
    return set_output(context, 0, x.dtype, shape);
  }
  Dims shape = *x.shape;
  for (const Cut& cut : *cuts) shape[cut.axis] = extent_after(cut, shape[cut.axis]);
  set_output(context, 0, x.dtype, shape);
  follow_data(context, *cuts);
}

void upgrade(UpgradeContext& context) {
  integers_to_input(context, "starts", 1);
  integers_to_input(context, "ends", 2);
  integers_to_input(context, "axes", 3);
}

// Rows up to the last axis that is cut are copied at once, unless they are walked through in steps.
std::vector<kernels::Work> work_of(const Node& node, const NodeTypes& types) {
  NodeTypes moved = types;
  moved.inputs[0] = types.outputs[0];
  const Dims& shape = *types.outputs[0].shape;
  std::size_t last = 0;
  bool by_steps = false;
  const auto cuts = constant_cuts(node, shape.size(), types.constants).value_or(std::vector<Cut>());
  for (const Cut& cut : cuts) {
    last = std::max(last, cut.axis);
    by_steps |= cut.axis + 1 == shape.size() && cut.step != 1;
  }
  if (by_steps) return element_steps(moved, 0.5);
  return row_copies(moved, static_cast<double>(product(shape, 0, last).value));
}

Cost can(const Node& node, const NodeTypes& types) {
  for (std::size_t i = 1; i < types.inputs.size(); ++i) {
    if (types.present[i] && types.constants[i] == nullptr)
      return Unexpected{"starts, ends, axes or steps are known only when it runs"};
  }
  if (auto movable = can_move(node, types); !movable) return movable;
  return work_of(node, types);
}

Prepared prepare(const Node& node, const NodeTypes& types) {
  const auto shape = *types.inputs[0].static_shape();
  const auto rank = static_cast<std::size_t>(shape.rank());
  Integers starts(rank, 0), steps(rank, 1);
  const auto cuts = constant_cuts(node, rank, types.constants).value_or(std::vector<Cut>());  // can() made sure
  for (const Cut& cut : cuts) {
    const Range range = range_of(cut, shape[static_cast<int>(cut.axis)]);
    starts[cut.axis] = range.start;
    steps[cut.axis] = range.count > 1 ? cut.step : 1;
  }
  return {[starts, steps](const KernelArguments& a) { kernels::slice(a.inputs[0], starts, steps, a.outputs[0]); }};
}

constexpr KernelRow kKernels[] = {{"slice", can, prepare}};

}  // namespace

extern const OpRecord slice_record;
const OpRecord slice_record = {
    .name = "Slice",
    .since_opset = 13,
    .help =
        "y[i] = x[start + i step] along each of `axes` (default: the first ones) from `starts` up to, without, "
        "`ends`. Negative places count from the end and all are clamped to the axis; steps are not 0 (default 1). "
        "The four are i32 or i64 vectors. Any dtype of whole bytes.",
    .infer = infer,
    .upgrade = upgrade,
    .kernels = kKernels};

}  // namespace skerry::ops
