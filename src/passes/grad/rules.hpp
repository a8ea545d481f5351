/// \file
/// What the rules of gradients.def are written with.
#pragma once

#include <cstdint>
#include <skerry/graph.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace skerry::passes::grad {

/// One node on the way back. A rule asks for the cotangent of the node's output, appends nodes that turn it into
/// cotangents of the inputs, and gives them with back(). Shapes are those of the forward values, all known.
class Rule {
 public:
  using Attributes = std::vector<std::pair<std::string, Attribute>>;

  Rule(Graph& graph, NodeId id, ValueId cotangent, const std::vector<std::uint8_t>& wanted)
      : graph_(graph),
        node_(graph.node(id)),
        cotangent_(cotangent),
        wanted_(wanted),
        given_(node_.inputs.size(), kNoValue) {}

  const Node& node() const noexcept { return node_; }
  ValueId x(std::size_t input = 0) const { return node_.inputs[input]; }
  ValueId y() const { return node_.outputs[0]; }
  ValueId dy() const noexcept { return cotangent_; }
  /// Whether somebody asks for this input's cotangent.
  bool wants(std::size_t input) const {
    return input < node_.inputs.size() && node_.inputs[input] != kNoValue && wanted_[node_.inputs[input]] != 0;
  }
  Shape shape(ValueId id) const { return *graph_.value(id).type.static_shape(); }
  const Graph& graph() const noexcept { return graph_; }

  ValueId op(std::string_view name, std::vector<ValueId> inputs, const Attributes& attributes = {});
  /// The second output of a node of two.
  ValueId second_output(std::string_view name, std::vector<ValueId> inputs, const Attributes& attributes);
  ValueId constant(Tensor tensor);
  /// A number of the output's dtype.
  ValueId number(double value);
  ValueId integers(const std::vector<std::int64_t>& values);
  ValueId reshape(ValueId id, const Shape& shape);
  /// Sums away what broadcasting from `to` to `from` repeated; id has the shape `from`.
  ValueId sum_to(ValueId id, const Shape& from, const Shape& to);
  /// The cotangent of an input, of the input's own shape.
  void back(std::size_t input, ValueId cotangent) { given_[input] = cotangent; }
  /// The cotangent of an input of a node that broadcasts.
  void back_broadcast(std::size_t input, ValueId cotangent);
  /// Errors: unsupported, with the node's name.
  [[noreturn]] void refuse(const std::string& what) const;
  /// Values of an integer input. Errors: unsupported when they are not constant.
  std::vector<std::int64_t> constant_integers(std::size_t input) const;

  const std::vector<ValueId>& given() const noexcept { return given_; }

 private:
  Graph& graph_;
  Node node_;  // a copy: appending nodes moves the graph's own
  ValueId cotangent_;
  const std::vector<std::uint8_t>& wanted_;
  std::vector<ValueId> given_;
};

inline Shape shape_of(const std::vector<std::int64_t>& dims) {
  return Shape(std::span<const std::int64_t>(dims));
}

#define SKERRY_GRADIENT(op, rule) void rule##_rule(Rule& r);
#include "passes/grad/gradients.def"
#undef SKERRY_GRADIENT

}  // namespace skerry::passes::grad
