#include <skerry/error.hpp>

#include "ops/nn/flow.hpp"
#include "ops/nn/subgraph_types.hpp"
#include "ops/nn/typing.hpp"

namespace skerry::ops {
namespace {

TensorType type_of(const Graph& graph, ValueId id) {
  return id == kNoValue ? TensorType{} : graph.value(id).type;
}

// A state that a loop carries may change its shape from turn to turn, never its dtype and seldom its rank.
// Items of a sequence may change their rank as well.
TensorType carried(TensorType type) {
  if (!type.is_tensor()) {
    type.shape.reset();
  } else if (type.shape) {
    type.shape = Dims(type.shape->size());
  }
  return type;
}

// One slice of a scanned input.
TensorType without_axis(const Node& node, TensorType type, std::int64_t axis) {
  if (type.shape) {
    const std::size_t at = normal_axis(node, axis, type.shape->size());
    type.shape->erase(type.shape->begin() + static_cast<std::ptrdiff_t>(at));
  }
  return type;
}

std::vector<TensorType> loop_inputs(const Graph& graph, const Node& node) {
  const std::size_t states = loop_states(node);
  std::vector<TensorType> types = {TensorType{DType::i64, Dims{}}, TensorType{DType::boolean, Dims{}}};
  for (std::size_t i = 2; i < node.inputs.size(); ++i) {
    const TensorType type = type_of(graph, node.inputs[i]);
    types.push_back(i < 2 + states ? carried(type) : type);
  }
  return types;
}

std::vector<TensorType> scan_inputs(const Graph& graph, const Node& node) {
  const std::size_t states = scan_states(node);
  const std::size_t scans = scanned_inputs(node);
  const auto axes = node.integers("scan_input_axes", std::vector<std::int64_t>(scans, 0));
  std::vector<TensorType> types;
  for (std::size_t i = 0; i < node.inputs.size(); ++i) {
    TensorType type = type_of(graph, node.inputs[i]);
    if (i >= states && i < states + scans && i - states < axes.size())
      type = without_axis(node, type, axes[i - states]);
    types.push_back(std::move(type));
  }
  return types;
}

// One item of each sequence; captures are passed as they are.
std::vector<TensorType> map_inputs(const Graph& graph, const Node& node) {
  const std::size_t own = node.inputs.size() - captures(node);
  std::vector<TensorType> types;
  for (std::size_t i = 0; i < node.inputs.size(); ++i) {
    const TensorType type = type_of(graph, node.inputs[i]);
    const bool item = i < own && !type.is_tensor() && type.wraps.front() == Wrap::sequence;
    types.push_back(item ? type.unwrapped() : type);
  }
  return types;
}

// Types of the inner graph's inputs, from what the node passes.
std::vector<TensorType> inner_types(const Graph& graph, const Node& node) {
  if (node.op == "Loop") return loop_inputs(graph, node);
  if (node.op == "Scan") return scan_inputs(graph, node);
  if (node.op == "SequenceMap") return map_inputs(graph, node);
  std::vector<TensorType> types;  // If: the condition stays outside
  for (std::size_t i = 1; i < node.inputs.size(); ++i) types.push_back(type_of(graph, node.inputs[i]));
  return types;
}

}  // namespace

void infer_subgraphs(Graph& graph, NodeId id) {
  const Node& node = graph.node(id);
  for (std::size_t i = 0; i < node.attributes.size(); ++i) {
    const auto* held = std::get_if<Subgraph>(&node.attributes[i].second);
    if (held == nullptr || *held == nullptr) continue;
    Graph inner = **held;
    const auto types = inner_types(graph, node);
    for (std::size_t k = 0; k < inner.inputs().size() && k < types.size(); ++k)
      inner.value(inner.inputs()[k]).type = types[k];
    try {
      infer_types(inner);
    } catch (const Error& error) {
      // A branch that is never taken need not make sense for these inputs; one that is taken says so when it runs.
      if (node.op != "If" || error.code() != ErrorCode::type_mismatch) throw;
    }
    graph.edit_node(id).attributes[i].second = std::make_shared<const Graph>(std::move(inner));
  }
}

}  // namespace skerry::ops
