#include <skerry/error.hpp>

#include "ops/nn/data_node.hpp"
#include "ops/nn/scan_batches.hpp"
#include "ops/nn/subgraph_types.hpp"
#include "ops/nn/typing.hpp"

namespace skerry::ops {
namespace {

std::vector<std::int64_t> per_item(const Node& node, std::string_view attribute, std::size_t count) {
  auto values = node.integers(attribute, std::vector<std::int64_t>(count, 0));
  if (values.size() != count) {
    refuse(node, std::string(attribute) + " has " + std::to_string(values.size()) + " numbers instead of " +
                     std::to_string(count));
  }
  return values;
}

// The number of turns: the extent of every scanned input along its axis.
Dim turns(const TypeContext& context, std::size_t states, std::size_t scanned) {
  const auto axes = per_item(context.node, "scan_input_axes", scanned);
  Dim out;
  for (std::size_t i = 0; i < scanned; ++i) {
    const TensorType& type = input(context, states + i);
    if (!type.is_tensor()) refuse(context.node, type.text() + " cannot be scanned");
    const auto& shape = type.shape;
    if (!shape) continue;
    const Dim& extent = (*shape)[normal_axis(context.node, axes[i], shape->size())];
    if (out.is_known() && extent.is_known() && out.value != extent.value) {
      refuse(context.node, "inputs of " + std::to_string(out.value) + " and of " + std::to_string(extent.value) +
                               " elements are scanned together");
    }
    if (!out.is_known() && (extent.is_known() || out.symbol.empty())) out = extent;
  }
  return out;
}

void infer(TypeContext& context) {
  const Node& node = context.node;
  const std::size_t states = scan_states(node);
  const std::size_t scanned = scanned_inputs(node);
  if (scanned == 0 || node.outputs.size() < states)
    refuse(node, "Scan needs an input to scan, and an output for each of its " + std::to_string(states) + " states");
  const Graph& body = subgraph(node, "body", node.outputs.size());
  const Dim count = turns(context, states, scanned);
  const auto axes = per_item(node, "scan_output_axes", node.outputs.size() - states);
  for (std::size_t i = 0; i < node.outputs.size(); ++i) {
    const TensorType& result = output_type(body, i);
    if (i < states) {
      set_type(context, i, merged(node, input(context, i), result));
      continue;
    }
    if (!result.is_tensor()) refuse(node, "values that are gathered turn by turn are tensors, not " + result.text());
    std::optional<Dims> shape = result.shape;
    if (shape) {
      const std::size_t axis = normal_axis(node, axes[i - states], shape->size() + 1);
      shape->insert(shape->begin() + static_cast<std::ptrdiff_t>(axis), count);
    }
    set_output(context, i, result.dtype, std::move(shape));
  }
}

void upgrade(UpgradeContext& context) {
  if (context.from_opset < 9) scan_over_batch(context.node);
}

}  // namespace

extern const OpRecord scan_record;
const OpRecord scan_record = {
    .name = "Scan",
    .since_opset = 25,
    .help =
        "Runs `body` on (states..., slices...) once for each slice of the last num_scan_inputs inputs along "
        "scan_input_axes (default 0). Its results are the next states and slices of the outputs, put together along "
        "scan_output_axes. scan_input_directions and scan_output_directions: 1 for backwards. Of opset 8: over each "
        "sequence of a batch, zeros behind what is shorter.",
    .infer = infer,
    .upgrade = upgrade,
    .takes_wrapped = true};

}  // namespace skerry::ops
