#include "kernels/tensor/movement.hpp"
#include "ops/nn/kernel_rows.hpp"
#include "ops/nn/typing.hpp"
#include "ops/nn/upgrading.hpp"

namespace skerry::ops {
namespace {

// Pieces of one extent: equal ones, the last of them smaller if they do not fit. Without num_outputs (before opset 18)
// they must.
std::int64_t piece(const Node& node, std::int64_t extent, std::size_t index) {
  const auto count = static_cast<std::int64_t>(node.outputs.size());
  const std::int64_t size = (extent + count - 1) / count;
  const bool even = extent % count == 0;
  const std::int64_t last = extent - size * (count - 1);
  if (last < 0 || (!even && node.find("num_outputs") == nullptr))
    refuse(node, "an axis of " + std::to_string(extent) + " elements cannot be split into " + std::to_string(count));
  return index + 1 < node.outputs.size() ? size : last;
}

void check_sizes(const Node& node, const std::vector<std::int64_t>& sizes, const std::optional<Dim>& extent) {
  if (sizes.size() != node.outputs.size())
    refuse(node, std::to_string(sizes.size()) + " sizes for " + std::to_string(node.outputs.size()) + " outputs");
  std::int64_t sum = 0;
  for (const std::int64_t size : sizes) {
    if (size < 0 || __builtin_add_overflow(sum, size, &sum)) refuse(node, "a piece of " + std::to_string(size));
  }
  if (extent && extent->is_known() && extent->value != sum)
    refuse(node, "pieces of " + std::to_string(sum) + " elements from an axis of " + std::to_string(extent->value));
}

void infer(TypeContext& context) {
  const Node& node = context.node;
  const TensorType& x = input(context, 0);
  const auto count = static_cast<std::int64_t>(node.outputs.size());
  if (node.integer("num_outputs", count) != count)
    refuse(node, "num_outputs is " + std::to_string(node.integer("num_outputs", count)) + " but there are " +
                     std::to_string(count) + " outputs");
  std::optional<std::size_t> axis;
  std::optional<Dim> extent;
  if (x.shape) {
    axis = normal_axis(node, node.integer("axis", 0), x.shape->size());
    extent = (*x.shape)[*axis];
  }
  const auto sizes = constant_integers(context, 1);
  if (sizes) check_sizes(node, *sizes, extent);
  for (std::size_t i = 0; i < node.outputs.size(); ++i) {
    std::optional<Dims> shape = x.shape;
    if (shape) {
      Dim& own = (*shape)[*axis];
      if (has_input(node, 1)) {
        own = sizes ? Dim((*sizes)[i]) : Dim();
      } else {
        own = extent->is_known() ? Dim(piece(node, extent->value, i)) : (count == 1 ? *extent : Dim());
      }
    }
    set_output(context, i, x.dtype, std::move(shape));
  }
}

Cost can(const Node& node, const NodeTypes& types) {
  if (has_input(node, 1) && types.constants[1] == nullptr) return Unexpected{"the sizes are known only when it runs"};
  if (auto movable = can_move(node, types); !movable) return movable;
  const Dims& shape = *types.inputs[0].shape;
  const Dim rows = product(shape, 0, normal_axis(node, node.integer("axis", 0), shape.size()));
  // A part of one element in each row is walked through in strides.
  double thin = 0.0, runs = 0.0;
  for (const TensorType& part : types.outputs) {
    const auto count = static_cast<double>(elements(part)), lines = static_cast<double>(rows.value);
    (count <= lines ? thin : runs) += count <= lines ? count : lines;
  }
  auto work = row_copies(types, runs);
  work.push_back({kernels::Rate::scalar, 0.5 * thin});
  return work;
}

Prepared prepare(const Node& node, const NodeTypes& types) {
  const auto axis = static_cast<int>(normal_axis(node, node.integer("axis", 0), types.inputs[0].shape->size()));
  std::vector<std::int64_t> starts;
  std::int64_t at = 0;
  for (std::size_t i = 0; i < node.outputs.size(); ++i) {
    starts.push_back(at);
    at += has_input(node, 1) ? integers_of(node, *types.constants[1])[i]
                             : piece(node, (*types.inputs[0].shape)[static_cast<std::size_t>(axis)].value, i);
  }
  return {[axis, starts](const KernelArguments& a) {
    for (std::size_t i = 0; i < a.outputs.size(); ++i) {
      if (!a.outputs[i].empty()) kernels::extract(a.inputs[0], axis, starts[i], a.outputs[i]);
    }
  }};
}

constexpr KernelRow kKernels[] = {{"split", can, prepare}};

}  // namespace

extern const OpRecord split_record;
const OpRecord split_record = {
    .name = "Split",
    .since_opset = 18,
    .help =
        "Cuts x along `axis` (default 0) into as many pieces as there are outputs: of the sizes in the i64 vector "
        "`split`, else equal ones; with num_outputs the last may be smaller. Any dtype of whole bytes.",
    .infer = infer,
    .upgrade = [](UpgradeContext& context) { integers_to_input(context, "split", 1); },
    .kernels = kKernels};

}  // namespace skerry::ops
