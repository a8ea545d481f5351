/// \file
/// For tests: one node run through its record, by every kernel that takes it.
#pragma once

#include <cstring>
#include <optional>
#include <skerry/error.hpp>
#include <skerry/graph.hpp>
#include <string>
#include <utility>
#include <vector>

#include "base/thrown_by.hpp"
#include "ops/nn/op_record.hpp"

namespace skerry::ops::testing {

/// A node, its inputs (nothing where one is left out), and how many outputs it has.
struct NodeCase {
  Node node;
  std::vector<std::optional<Tensor>> inputs;
  std::size_t outputs = 1;
};

inline Tensor floats(Shape shape, std::vector<float> values) {
  return Tensor::from<float>(values, shape);
}
/// Numbers around 0 that are all different, the same on every machine.
inline Tensor counted(Shape shape, int seed = 1) {
  Tensor out(DType::f32, shape);
  int state = seed * 7919;
  for (float& value : out.mutable_view().as<float>()) {
    state = (state * 421 + 1663) % 7875;
    value = static_cast<float>(state) / 4096.0F - 0.95F;
  }
  return out;
}

/// A node with these attributes.
inline Node node_of(std::string op, const std::vector<std::pair<std::string, Attribute>>& attributes = {}) {
  Node node;
  node.op = std::move(op);
  node.name = "here";
  for (const auto& [name, value] : attributes) node.set(name, value);
  return node;
}

/// The types that the record infers from these inputs, constant or not. Errors: the rule's.
inline std::vector<TensorType> inferred(NodeCase c, bool constant) {
  Graph graph;
  for (std::size_t i = 0; i < c.inputs.size(); ++i) {
    const std::string name = "x" + std::to_string(i);
    if (!c.inputs[i]) {
      c.node.inputs.push_back(kNoValue);
    } else if (constant) {
      c.node.inputs.push_back(graph.add_constant(name, *c.inputs[i]));
    } else {
      c.node.inputs.push_back(graph.add_input(name, TensorType::of(c.inputs[i]->dtype(), c.inputs[i]->shape())));
    }
  }
  std::vector<std::string> names;
  for (std::size_t i = 0; i < c.outputs; ++i) names.push_back("y" + std::to_string(i));
  const NodeId id = graph.add_node(c.node, names);
  infer_types(graph);
  std::vector<TensorType> types;
  for (const ValueId value : graph.node(id).outputs) types.push_back(graph.value(value).type);
  return types;
}

/// What one kernel made of a case.
struct KernelResult {
  std::string kernel;
  std::vector<Tensor> outputs;
};

/// What a kernel row is asked about a case, once its inputs are known as far as `constant` says.
struct PlannedCase {
  Node node;
  NodeTypes types;
  std::vector<TensorView> inputs;
};
inline PlannedCase planned(const NodeCase& c, bool constant) {
  PlannedCase out;
  auto& [node, concrete, inputs] = out;
  node = c.node;
  for (std::size_t i = 0; i < c.inputs.size(); ++i) {
    const auto& given = c.inputs[i];
    concrete.inputs.push_back(given ? TensorType::of(given->dtype(), given->shape()) : TensorType());
    concrete.present.push_back(given.has_value());
    concrete.constants.push_back(given && constant && i > 0 ? &*given : nullptr);
    inputs.push_back(given ? given->view() : TensorView());
    node.inputs.push_back(given ? static_cast<ValueId>(i) : kNoValue);
  }
  for (std::size_t i = 0; i < c.outputs; ++i) node.outputs.push_back(static_cast<ValueId>(100 + i));
  concrete.outputs = inferred(c, true);
  return out;
}

/// Runs every kernel of the record that takes the case, the reference last, or that of one name. constant: whether
/// inputs after the first are known when kernels are prepared.
inline std::vector<KernelResult> run_all(const NodeCase& c, bool constant, std::string_view only = {}) {
  const auto [node, concrete, inputs] = planned(c, constant);
  const std::vector<TensorType>& types = concrete.outputs;
  std::vector<KernelResult> results;
  for (const KernelRow& row : find_op(node.op)->kernels) {
    if ((!only.empty() && row.name != only) || !row.can(node, concrete)) continue;
    const Prepared prepared = row.prepare(node, concrete);
    KernelResult result{std::string(row.name), {}};
    std::vector<MutableTensorView> outputs;
    for (const TensorType& type : types) {
      result.outputs.emplace_back(type.dtype, *type.static_shape());
      outputs.push_back(result.outputs.back().mutable_view());
      if (outputs.back().bytes() > 0) std::memset(outputs.back().data(), 0x7f, outputs.back().bytes());
    }
    Tensor scratch(DType::u8, Shape{static_cast<std::int64_t>(prepared.scratch_bytes)});
    const std::span<std::byte> space(scratch.mutable_view().data(), prepared.scratch_bytes);
    if (!space.empty()) std::memset(space.data(), 0xff, space.size());
    prepared.run({inputs, outputs, space});
    results.push_back(std::move(result));
  }
  return results;
}

}  // namespace skerry::ops::testing
