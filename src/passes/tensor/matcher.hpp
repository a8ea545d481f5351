/// \file
/// Looks from a value back to what it was made of: how passes recognise what exporters spelled out.
#pragma once

#include <cmath>
#include <optional>
#include <skerry/graph.hpp>
#include <string_view>
#include <utility>
#include <vector>

namespace skerry::passes {

/// A view of a graph; the graph may be edited meanwhile as long as values keep their producers.
class Matcher {
 public:
  explicit Matcher(const Graph& graph) : graph_(graph), uses_(graph.use_counts()) {}

  /// Whether one node alone, as the graph stood at the start, looks at `id`.
  bool single_use(ValueId id) const { return uses_[id] == 1; }

  /// The node that makes `id` if it is such an operation, else null.
  const Node* made_by(ValueId id, std::string_view op) const {
    if (id == kNoValue || graph_.value(id).producer == kNoNode) return nullptr;
    const Node& node = graph_.node(graph_.value(id).producer);
    return node.op == op && node.outputs[0] == id ? &node : nullptr;
  }

  /// The one element of an f32 constant.
  std::optional<double> number(ValueId id) const {
    if (id == kNoValue || !graph_.value(id).constant) return std::nullopt;
    const Tensor& constant = *graph_.value(id).constant;
    if (constant.dtype() != DType::f32 || constant.shape().elements() != 1 || constant.shape().rank() > 1)
      return std::nullopt;
    float value = 0.0F;  // a constant may stand anywhere in a mapped file
    __builtin_memcpy(&value, constant.view().data(), sizeof value);
    return static_cast<double>(value);
  }
  bool is_number(ValueId id, double wanted) const {
    const auto value = number(id);
    return value && std::abs(*value - wanted) <= 1e-6 * std::abs(wanted);
  }

  /// A product as its factors: what is not a number in `values`, the numbers' product in `factor`. Looks through
  /// multiplications, and divisions by a number.
  struct Product {
    double factor = 1.0;
    std::vector<ValueId> values;
  };
  Product product(ValueId id) const {
    Product out;
    collect(id, 3, out);
    return out;
  }

  /// The other operand of an addition of which `id` is one; kNoValue where it is none.
  static ValueId other(const Node& node, ValueId id) {
    if (node.inputs.size() != 2) return kNoValue;
    return node.inputs[0] == id ? node.inputs[1] : node.inputs[1] == id ? node.inputs[0] : kNoValue;
  }
  /// x of x + number.
  ValueId plus_number(ValueId id, double wanted) const {
    const Node* add = made_by(id, "Add");
    if (add == nullptr) return kNoValue;
    if (is_number(add->inputs[1], wanted)) return add->inputs[0];
    return is_number(add->inputs[0], wanted) ? add->inputs[1] : kNoValue;
  }

  /// An f32 constant with one axis of this extent.
  bool is_vector(ValueId id, std::int64_t extent) const {
    if (id == kNoValue || !graph_.value(id).constant) return false;
    const Tensor& constant = *graph_.value(id).constant;
    return constant.dtype() == DType::f32 && constant.shape().rank() == 1 && constant.shape()[0] == extent;
  }
  /// The last extent of an f32 value of at least `rank` axes; -1 where it is not known.
  std::int64_t width(ValueId id, std::size_t rank) const {
    const TensorType& type = graph_.value(id).type;
    if (type.dtype != DType::f32 || !type.shape || type.shape->size() < rank || !type.shape->back().is_known())
      return -1;
    return type.shape->back().value;
  }

 private:
  void collect(ValueId id, int depth, Product& out) const {
    if (const auto value = number(id)) {
      out.factor *= *value;
      return;
    }
    if (const Node* mul = depth > 0 ? made_by(id, "Mul") : nullptr) {
      collect(mul->inputs[0], depth - 1, out);
      collect(mul->inputs[1], depth - 1, out);
      return;
    }
    const Node* div = depth > 0 ? made_by(id, "Div") : nullptr;
    if (const auto divisor = div != nullptr ? number(div->inputs[1]) : std::nullopt) {
      out.factor /= *divisor;
      collect(div->inputs[0], depth - 1, out);
      return;
    }
    out.values.push_back(id);
  }

  const Graph& graph_;
  const std::vector<std::uint32_t> uses_;
};

}  // namespace skerry::passes
