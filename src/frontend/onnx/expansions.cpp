#include "frontend/onnx/expansions.hpp"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "ops/nn/typing.hpp"

namespace skerry::frontend::onnx {
namespace {

using Unique = std::function<std::string(std::string)>;

// Nodes of one expansion, by the names of their results.
struct Writer {
  Graph& graph;
  const Node& node;
  const Unique& unique;

  ValueId numbers(std::vector<std::int64_t> values) {
    return graph.add_constant(unique(node.name + "/constant"),
                              Tensor::from<std::int64_t>(values, Shape{std::ssize(values)}));
  }
  ValueId real(float value) {
    return graph.add_constant(unique(node.name + "/constant"), Tensor::from<float>(std::span(&value, 1), Shape{}));
  }
  ValueId add(Node made, std::string output = {}) {
    if (output.empty()) output = unique(node.name + "/" + made.op);
    made.name = node.name + "/" + made.op;
    return graph.node(graph.add_node(std::move(made), std::span(&output, 1))).outputs[0];
  }
  ValueId add(std::string op, std::vector<ValueId> inputs) {
    return add(Node{.op = std::move(op), .inputs = std::move(inputs)});
  }
  ValueId add(std::string op, std::vector<ValueId> inputs, std::string attribute, Attribute value) {
    Node made{.op = std::move(op), .inputs = std::move(inputs)};
    made.set(std::move(attribute), std::move(value));
    return add(std::move(made));
  }
  // Extents [begin, end) of x.
  ValueId extents(ValueId x, std::int64_t begin, std::int64_t end) {
    Node made{.op = "Shape", .inputs = {x}};
    made.set("start", begin);
    made.set("end", end);
    return add(std::move(made));
  }

  // The subgraph in an attribute, of x and what it reads from outside; x itself where there is none.
  ValueId modified(std::string_view attribute, ValueId x) {
    const Attribute* held = node.find(attribute);
    if (held == nullptr) return x;
    const auto* subgraph = std::get_if<Subgraph>(held);
    if (subgraph == nullptr) ops::refuse(node, std::string(attribute) + " is no graph");
    const Graph& inner = **subgraph;
    const auto captures = static_cast<std::size_t>(node.integer("captures", 0));
    if (inner.inputs().size() != 1 + captures || inner.outputs().size() != 1)
      ops::refuse(node, std::string(attribute) + " must take one tensor and give one");
    std::vector<ValueId> outside(inner.values().size(), kNoValue);
    outside[inner.inputs()[0]] = x;
    for (std::size_t i = 0; i < captures; ++i)
      outside[inner.inputs()[1 + i]] = node.inputs[node.inputs.size() - captures + i];
    const auto of = [&](ValueId id) {
      if (id == kNoValue || outside[id] != kNoValue) return id == kNoValue ? id : outside[id];
      const Value& value = inner.value(id);
      return outside[id] = graph.add_constant(unique(node.name + "/" + value.name), *value.constant);
    };
    for (Node each : inner.nodes()) {
      const std::vector<ValueId> outputs = std::exchange(each.outputs, {});
      for (ValueId& input : each.inputs) input = of(input);
      std::vector<std::string> names;
      for (const ValueId output : outputs)
        names.push_back(output == kNoValue ? "" : unique(node.name + "/" + inner.value(output).name));
      each.name = node.name + "/" + each.name;
      const NodeId made = graph.add_node(std::move(each), names);
      for (std::size_t i = 0; i < outputs.size(); ++i) {
        if (outputs[i] != kNoValue) outside[outputs[i]] = graph.node(made).outputs[i];
      }
    }
    return of(inner.outputs()[0]);
  }
};

// What is known of a value's dtype while the graph is read: types are inferred when all of it is there.
DType dtype_of(const Graph& graph, ValueId id) {
  if (graph.value(id).producer == kNoNode) return graph.value(id).type.dtype;
  Graph so_far = graph;
  ops::infer_types(so_far);
  return so_far.value(id).type.dtype;
}

// Query heads that share a key's head stand in one matrix: [B, Hq, L, E] as [B, Hkv, Hq / Hkv * L, E] is the same
// memory, so that no key or value is repeated.
ValueId flex_attention(Graph& graph, const Node& node, const std::string& output, const Unique& unique) {
  if (node.inputs.size() < 3 || std::ranges::count(std::span(node.inputs).first(3), kNoValue) != 0)
    ops::refuse(node, "FlexAttention needs Q, K and V");
  constexpr std::int64_t kFloat = 1, kDouble = 11;  // in onnx.TensorProto.DataType
  Writer w{graph, node, unique};
  const ValueId q = node.inputs[0], k = node.inputs[1], v = node.inputs[2];
  const Attribute* given = node.find("scale");
  const ValueId scale = given != nullptr
                            ? w.real(static_cast<float>(node.real("scale", 1.0)))
                            : w.add("Reciprocal", {w.add("Sqrt", {w.add("Cast", {w.extents(q, 3, 4)}, "to", kFloat)})});
  const ValueId root = w.add("CastLike", {w.add("Sqrt", {scale}), q});
  const auto grouped = [&](ValueId x, ValueId like, ValueId last) {
    const ValueId shape = w.add("Concat", {w.extents(like, 0, 2), w.numbers({-1}), last}, "axis", std::int64_t{0});
    return w.add("Reshape", {x, shape});
  };
  const ValueId q_grouped = grouped(w.add("Mul", {q, root}), k, w.extents(q, 3, 4));
  const ValueId turned = w.add("Transpose", {w.add("Mul", {k, root})}, "perm", std::vector<std::int64_t>{0, 1, 3, 2});
  const ValueId products = w.add("MatMul", {q_grouped, turned});
  const ValueId by_head = w.add("Concat", {w.extents(q, 0, 3), w.extents(k, 2, 3)}, "axis", std::int64_t{0});
  const ValueId flat = w.add("Reshape", {products, by_head});
  const std::int64_t precision = node.find("softmax_precision") != nullptr ? node.integer("softmax_precision", kFloat)
                                 : dtype_of(graph, q) == DType::f64        ? kDouble
                                                                           : kFloat;
  const ValueId scores = w.modified("score_mod", w.add("Cast", {flat}, "to", precision));
  const ValueId probabilities = w.modified("prob_mod", w.add("Softmax", {scores}, "axis", std::int64_t{-1}));
  const ValueId values = w.add("Cast", {v}, "to", precision);
  const ValueId sums = w.add("MatMul", {grouped(probabilities, k, w.extents(k, 2, 3)), values});
  const ValueId shape = w.add("Concat", {w.extents(q, 0, 3), w.extents(v, 3, 4)}, "axis", std::int64_t{0});
  return w.add(Node{.op = "CastLike", .inputs = {w.add("Reshape", {sums, shape}), v}}, output);
}

struct Row {
  std::string_view op;
  Expansion expansion;
};
constexpr std::array kRows = {Row{"ai.onnx.preview.FlexAttention", flex_attention}};

}  // namespace

Expansion expansion_of(std::string_view op) noexcept {
  const auto* const found = std::ranges::find(kRows, op, &Row::op);
  return found == kRows.end() ? nullptr : found->expansion;
}

}  // namespace skerry::frontend::onnx
