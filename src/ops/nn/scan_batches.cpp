#include "ops/nn/scan_batches.hpp"

#include <string>
#include <utility>
#include <vector>

#include "ops/nn/subgraph_types.hpp"
#include "ops/nn/typing.hpp"

namespace skerry::ops {
namespace {

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

}  // namespace

void scan_over_batch(Node& node) {
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

}  // namespace skerry::ops
