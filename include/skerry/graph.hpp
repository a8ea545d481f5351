/// \file
/// A typed dataflow graph over tensors in static single assignment: every value is made once, nodes are in order of
/// use.
#pragma once

#include <cstdint>
#include <optional>
#include <skerry/circuit.hpp>
#include <skerry/observable.hpp>
#include <skerry/tensor.hpp>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace skerry {

/// One extent: a number, a named unknown (`N`), or an anonymous unknown.
struct Dim {
  std::int64_t value = -1;  ///< >= 0 when known
  std::string symbol;       ///< of a named unknown
  Dim() = default;
  Dim(std::int64_t known) : value(known) {}             // NOLINT(google-explicit-constructor)
  Dim(std::string named) : symbol(std::move(named)) {}  // NOLINT(google-explicit-constructor)
  bool is_known() const noexcept { return value >= 0; }
  /// True when both are surely the same extent.
  bool same_as(const Dim& other) const noexcept {
    return is_known() ? value == other.value : !symbol.empty() && symbol == other.symbol && !other.is_known();
  }
  bool operator==(const Dim&) const = default;
};

/// What can stand around a tensor: a sequence of such, one or nothing, or a map from integers or strings to such.
enum class Wrap : std::uint8_t { sequence, optional, map_of_i64, map_of_string };
/// ONNX nests two deep; files may not claim more than this.
inline constexpr std::size_t kMaxWraps = 8;

/// dtype and symbolic shape of a value; no shape means that even the rank is unknown. With `wraps` it is the type of a
/// sequence, optional or map, and dtype and shape are those of the tensors inside, as far as they agree.
struct TensorType {
  DType dtype = DType::f32;
  std::optional<std::vector<Dim>> shape;
  std::vector<Wrap> wraps = {};  ///< outermost first; none: a tensor
  bool is_tensor() const noexcept { return wraps.empty(); }
  /// A tensor, and not one of strings.
  bool is_numbers() const noexcept { return is_tensor() && dtype != DType::string; }
  /// Whether a tensor of such a shape may stand here: of the rank and the extents that are known.
  bool takes(const Shape& given) const noexcept;
  /// This type inside of a wrap, and what is inside of the outermost one. Precondition of the latter: not a tensor.
  TensorType wrapped(Wrap wrap) const;
  TensorType unwrapped() const;
  /// The shape if it is a tensor every extent of which is known.
  std::optional<Shape> static_shape() const;
  /// `f32[N,3]`, `i64[]`, `f32[*]`, `seq(f32[*])`, `optional(seq(i64[]))`, `map_of_i64(f32[])`.
  std::string text() const;
  static TensorType of(DType dtype, const Shape& shape);
  bool operator==(const TensorType&) const = default;
};
/// Spelling of a wrap in text: `seq`, `optional`, `map_of_i64`, `map_of_string`.
std::string_view wrap_name(Wrap wrap) noexcept;

using ValueId = std::uint32_t;
/// An optional input or output that is absent.
inline constexpr ValueId kNoValue = 0xffffffffU;
using NodeId = std::uint32_t;
inline constexpr NodeId kNoNode = 0xffffffffU;

class Graph;

/// A graph held by a node (branch of If, body of Loop). Isolated: it sees only its own inputs; what it uses from
/// outside is passed as further inputs of the node, in the order of the inner graph's trailing inputs. All subgraphs of
/// a node get the same ones; the node's integer attribute `captures` says how many there are (absent: none), since a
/// Loop's own inputs cannot be told from them otherwise.
/// The graph is shared among copies and never changed in place.
using Subgraph = std::shared_ptr<const Graph>;
using CircuitRef = std::shared_ptr<const Circuit>;

using Attribute = std::variant<std::int64_t, double, std::string, std::vector<std::int64_t>, std::vector<double>,
                               std::vector<std::string>, Tensor, Subgraph, CircuitRef, std::vector<Observable>>;

/// One operation. `op` is the operator's name (`Conv`, `com.microsoft.Gelu` with its domain unless that is ONNX's own,
/// `circuit`); its meaning is the record of that name, always in the newest opset's form.
struct Node {
  std::string op = {};
  std::string name = {};
  std::vector<ValueId> inputs = {};                                ///< kNoValue where an optional input is left out
  std::vector<ValueId> outputs = {};                               ///< kNoValue where an optional output is not wanted
  std::vector<std::pair<std::string, Attribute>> attributes = {};  ///< sorted by name

  /// What errors call it: its name, its operator where it has none.
  const std::string& place() const noexcept { return name.empty() ? op : name; }
  const Attribute* find(std::string_view attribute) const noexcept;
  void set(std::string attribute, Attribute value);
  void erase(std::string_view attribute);
  std::int64_t integer(std::string_view attribute, std::int64_t otherwise) const;
  double real(std::string_view attribute, double otherwise) const;
  std::string text(std::string_view attribute, std::string otherwise) const;
  std::vector<std::int64_t> integers(std::string_view attribute, std::vector<std::int64_t> otherwise = {}) const;
};

/// A value: a graph input, a constant, or the result of one node.
struct Value {
  std::string name;
  TensorType type;
  NodeId producer = kNoNode;       ///< kNoNode for inputs and constants
  std::optional<Tensor> constant;  ///< weights and folded values; storage stays where it was mapped
};

/// A function from tensors to tensors. A value: copying copies the structure and shares the constants.
class Graph {
 public:
  std::string name;

  /// A graph of these parts as they are, for readers that pass it to ir::verify before anybody else sees it.
  static Graph from_parts(std::vector<Value> values, std::vector<Node> nodes, std::vector<ValueId> inputs,
                          std::vector<ValueId> outputs) {
    Graph graph;
    graph.values_ = std::move(values);
    graph.nodes_ = std::move(nodes);
    graph.inputs_ = std::move(inputs);
    graph.outputs_ = std::move(outputs);
    return graph;
  }

  const std::vector<Value>& values() const noexcept { return values_; }
  const std::vector<Node>& nodes() const noexcept { return nodes_; }
  const std::vector<ValueId>& inputs() const noexcept { return inputs_; }
  const std::vector<ValueId>& outputs() const noexcept { return outputs_; }
  const Value& value(ValueId id) const { return values_[id]; }
  Value& value(ValueId id) { return values_[id]; }
  const Node& node(NodeId id) const { return nodes_[id]; }

  ValueId add_input(std::string value_name, TensorType type);
  ValueId add_constant(std::string value_name, Tensor constant);
  /// Appends a node whose outputs are new values of these types (filled in later by inference if not known yet).
  /// An empty output name is an optional output that is not wanted. Inputs must exist already, so nodes stand in
  /// topological order. Errors: internal.
  NodeId add_node(Node node, std::span<const std::string> output_names, std::span<const TensorType> output_types = {});
  /// Shorthand for one output: returns its value.
  ValueId add(std::string op, std::initializer_list<ValueId> inputs, std::string output_name, TensorType type = {});
  void mark_output(ValueId id) { outputs_.push_back(id); }
  void set_outputs(std::vector<ValueId> ids) { outputs_ = std::move(ids); }
  Node& edit_node(NodeId id) { return nodes_[id]; }

  /// Makes every use of `from` (node inputs and graph outputs) a use of `to`.
  void replace_uses(ValueId from, ValueId to);
  /// Removes nodes for which `dead` is true and values nobody refers to, renumbering both; order is kept.
  void compact(std::span<const std::uint8_t> dead_nodes);
  /// Uses of each value by nodes and graph outputs, indexed by ValueId.
  std::vector<std::uint32_t> use_counts() const;

 private:
  std::vector<Value> values_;
  std::vector<Node> nodes_;
  std::vector<ValueId> inputs_, outputs_;
};

}  // namespace skerry
