#include <skerry/error.hpp>

#include "ops/nn/data_node.hpp"
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

// What is built around a Scan of opset 8, by name within its graph.
class Body {
 public:
  Graph graph;

  ValueId input() { return graph.add_input(next(), {}); }
  ValueId numbers(std::vector<std::int64_t> values) {
    return graph.add_constant(next(), Tensor::from<std::int64_t>(values, Shape{std::ssize(values)}));
  }
  ValueId add(std::string op, std::vector<ValueId> inputs, std::string attribute = {}, std::int64_t value = 0) {
    Node node{.op = std::move(op), .inputs = std::move(inputs)};
    if (!attribute.empty()) node.set(std::move(attribute), value);
    return add(std::move(node), 1)[0];
  }
  std::vector<ValueId> add(Node node, std::size_t outputs) {
    std::vector<std::string> names(outputs);
    for (std::string& name : names) name = next();
    return graph.node(graph.add_node(std::move(node), names)).outputs;
  }

 private:
  std::string next() { return "v" + std::to_string(values_++); }
  std::size_t values_ = 0;
};

// The first `length` elements, which are at most all and at least none.
ValueId first_of(Body& body, ValueId x, ValueId length) {
  const ValueId none = body.numbers({0});
  return body.add("Slice", {x, none, body.add("Max", {length, none}), none});
}

// x with zeros behind, as many along its first axis as there are in `all`.
ValueId filled_up(Body& body, ValueId x, ValueId all) {
  const ValueId missing = body.add("Sub", {body.add("Shape", {all}, "end", 1), body.add("Shape", {x}, "end", 1)});
  const ValueId shape = body.add("Concat", {missing, body.add("Shape", {x}, "start", 1)}, "axis", 0);
  const ValueId zeros = body.add("CastLike", {body.add("ConstantOfShape", {shape}), x});
  return body.add("Concat", {x, zeros}, "axis", 0);
}

// Opset 8 scans the sequences of a batch, each as long as sequence_lens (input 0) says: a Scan over the batch whose
// body is the Scan of one sequence, cut to its length before and filled up with zeros after.
void over_batch(Node& node) {
  if (node.inputs.empty()) refuse(node, "Scan needs an input to scan");
  const bool has_lengths = node.inputs[0] != kNoValue;
  Node inner = node;
  inner.inputs.erase(inner.inputs.begin());
  inner.erase("directions");
  if (const Attribute* directions = node.find("directions")) inner.set("scan_input_directions", *directions);
  const std::size_t states = scan_states(inner), scanned = scanned_inputs(inner);
  if (scanned == 0 || node.outputs.size() < states)
    refuse(node, "Scan needs an input to scan, and an output for each of its " + std::to_string(states) + " states");

  Body body;
  // A slice of the lengths is one number.
  const ValueId length = has_lengths ? body.add("Reshape", {body.input(), body.numbers({1})}) : kNoValue;
  for (ValueId& id : inner.inputs) id = body.input();
  const ValueId all = inner.inputs[states];
  for (std::size_t i = states; has_lengths && i < states + scanned; ++i)
    inner.inputs[i] = first_of(body, inner.inputs[i], length);
  auto results = body.add(inner, node.outputs.size());
  for (std::size_t i = states; has_lengths && i < results.size(); ++i) results[i] = filled_up(body, results[i], all);
  body.graph.set_outputs(results);

  if (!has_lengths) node.inputs.erase(node.inputs.begin());
  node.erase("directions");
  node.set("num_scan_inputs", static_cast<std::int64_t>(states + scanned + (has_lengths ? 1 : 0)));
  node.set("body", std::make_shared<const Graph>(std::move(body.graph)));
}

void upgrade(UpgradeContext& context) {
  if (context.from_opset < 9) over_batch(context.node);
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
