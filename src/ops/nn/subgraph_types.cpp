#include "ops/nn/subgraph_types.hpp"

#include "ops/nn/typing.hpp"

namespace skerry::ops {
namespace {

// Inputs that are left when `others` and the captures are taken away.
std::size_t rest_of_inputs(const Node& node, std::size_t others) {
  const std::size_t taken = others + captures(node);
  if (taken > node.inputs.size())
    refuse(node, node.op + " has " + std::to_string(node.inputs.size()) + " inputs but needs " + std::to_string(taken));
  return node.inputs.size() - taken;
}

std::size_t count_in(const Node& node, std::string_view attribute) {
  const std::int64_t count = node.integer(attribute, 0);
  if (count < 0 || static_cast<std::uint64_t>(count) > node.inputs.size()) {
    refuse(node, std::string(attribute) + " is " + std::to_string(count) + " but there are " +
                     std::to_string(node.inputs.size()) + " inputs");
  }
  return static_cast<std::size_t>(count);
}

}  // namespace

const Graph& subgraph(const Node& node, std::string_view attribute, std::size_t outputs) {
  const Attribute* held = node.find(attribute);
  const auto* graph = held == nullptr ? nullptr : std::get_if<Subgraph>(held);
  if (graph == nullptr || *graph == nullptr) refuse(node, node.op + " needs a graph as " + std::string(attribute));
  if ((*graph)->outputs().size() != outputs) {
    refuse(node, std::string(attribute) + " has " + std::to_string((*graph)->outputs().size()) +
                     " results instead of " + std::to_string(outputs));
  }
  return **graph;
}

const TensorType& output_type(const Graph& graph, std::size_t index) {
  return graph.value(graph.outputs()[index]).type;
}

TensorType merged(const Node& node, const TensorType& a, const TensorType& b) {
  // What an optional may hold becomes one by itself.
  const auto is_optional = [](const TensorType& type) {
    return !type.is_tensor() && type.wraps.front() == Wrap::optional;
  };
  if (is_optional(a) != is_optional(b))
    return (is_optional(a) ? merged(node, a.unwrapped(), b) : merged(node, a, b.unwrapped())).wrapped(Wrap::optional);
  if (a.dtype != b.dtype || a.wraps != b.wraps) refuse(node, "one result is " + a.text() + " or " + b.text());
  TensorType out{a.dtype, std::nullopt, a.wraps};
  if (!a.shape || !b.shape || a.shape->size() != b.shape->size()) return out;
  out.shape = Dims();
  for (std::size_t axis = 0; axis < a.shape->size(); ++axis)
    out.shape->push_back((*a.shape)[axis].same_as((*b.shape)[axis]) ? (*a.shape)[axis] : Dim());
  return out;
}

std::size_t captures(const Node& node) {
  return count_in(node, "captures");
}

std::size_t loop_states(const Node& node) {
  return rest_of_inputs(node, 2);
}

std::size_t scanned_inputs(const Node& node) {
  return count_in(node, "num_scan_inputs");
}

std::size_t scan_states(const Node& node) {
  return rest_of_inputs(node, scanned_inputs(node));
}

}  // namespace skerry::ops
