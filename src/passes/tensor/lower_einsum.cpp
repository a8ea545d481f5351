// An Einsum of two operands that is a product of matrices, in batches or not, becomes one:
//
//     Einsum "bkm,bkn->nbm"(a, b)     becomes     Transpose(MatMul(Transpose(a), b))
//
// where letters of both and of the result count batches, one letter is summed over, one is a's own and one is b's.
#include <algorithm>
#include <array>
#include <cctype>
#include <optional>
#include <string>
#include <vector>

#include "passes/pass.hpp"

namespace skerry::passes {
namespace {

// Letters of the operands and of the result.
struct Equation {
  std::array<std::string, 2> operands;
  std::string result;
};

std::optional<Equation> parsed(const std::string& text) {
  std::string plain;
  for (const char c : text) {
    if (c != ' ') plain += c;
  }
  const auto comma = plain.find(','), arrow = plain.find("->");
  if (comma == std::string::npos || arrow == std::string::npos || comma > arrow) return std::nullopt;
  Equation equation{{plain.substr(0, comma), plain.substr(comma + 1, arrow - comma - 1)}, plain.substr(arrow + 2)};
  for (const std::string& part : {equation.operands[0], equation.operands[1], equation.result}) {
    for (const char letter : part) {
      if (std::isalpha(static_cast<unsigned char>(letter)) == 0 || std::ranges::count(part, letter) != 1)
        return std::nullopt;
    }
  }
  return equation;
}

// How the axes of operands and product are ordered: batches, then rows and columns.
struct Product {
  std::array<std::string, 2> operands;
  std::string result;
};

std::optional<Product> as_product(const Equation& e) {
  const auto& [a, b] = e.operands;
  std::string batch, rows, columns, depth;
  for (const char letter : e.result) {
    const bool in_a = a.find(letter) != std::string::npos, in_b = b.find(letter) != std::string::npos;
    if (!in_a && !in_b) return std::nullopt;
    (in_a && in_b ? batch : in_a ? rows : columns) += letter;
  }
  for (const char letter : a + b) {
    if (e.result.find(letter) != std::string::npos || depth == std::string(1, letter)) continue;
    if (a.find(letter) == std::string::npos || b.find(letter) == std::string::npos) return std::nullopt;
    depth += letter;
  }
  if (rows.size() != 1 || columns.size() != 1 || depth.size() != 1) return std::nullopt;
  return Product{{batch + rows + depth, batch + depth + columns}, batch + rows + columns};
}

// Letters of both have one extent: 1 beside another would be stretched, which a product does not do.
bool same_extents(const Graph& graph, const Node& node, const Equation& e) {
  const auto& a = graph.value(node.inputs[0]).type.shape;
  const auto& b = graph.value(node.inputs[1]).type.shape;
  if (!a || !b || a->size() != e.operands[0].size() || b->size() != e.operands[1].size()) return false;
  for (std::size_t i = 0; i < a->size(); ++i) {
    const auto at = e.operands[1].find(e.operands[0][i]);
    if (at != std::string::npos && !(*a)[i].same_as((*b)[at])) return false;
  }
  return true;
}

// perm of a Transpose from one order of letters to another; empty where nothing moves.
std::vector<std::int64_t> order(const std::string& from, const std::string& to) {
  if (from == to) return {};
  std::vector<std::int64_t> perm;
  for (const char letter : to) perm.push_back(static_cast<std::int64_t>(from.find(letter)));
  return perm;
}

class Lowering {
 public:
  explicit Lowering(const Graph& graph) : from_(graph), now_(graph.values().size(), kNoValue) {}

  Graph run() {
    to_.name = from_.name;
    for (ValueId id = 0; id < from_.values().size(); ++id) {
      const Value& value = from_.value(id);
      if (value.constant) now_[id] = to_.add_constant(value.name, *value.constant);
    }
    for (const ValueId id : from_.inputs()) now_[id] = to_.add_input(from_.value(id).name, from_.value(id).type);
    for (const Node& node : from_.nodes()) {
      if (node.op != "Einsum" || !lower(node)) copy(node);
    }
    std::vector<ValueId> outputs;
    for (const ValueId id : from_.outputs()) outputs.push_back(now_[id]);
    to_.set_outputs(std::move(outputs));
    return std::move(to_);
  }

 private:
  void copy(Node node) {
    std::vector<std::string> names;
    std::vector<TensorType> types;
    const std::vector<ValueId> outputs = node.outputs;
    for (const ValueId id : outputs) {
      names.push_back(id == kNoValue ? "" : from_.value(id).name);
      types.push_back(id == kNoValue ? TensorType{} : from_.value(id).type);
    }
    for (ValueId& input : node.inputs) input = input == kNoValue ? kNoValue : now_[input];
    node.outputs.clear();
    const NodeId made = to_.add_node(std::move(node), names, types);
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      if (outputs[i] != kNoValue) now_[outputs[i]] = to_.node(made).outputs[i];
    }
  }

  ValueId add(Node node, const std::string& name, const TensorType& type) {
    const NodeId made = to_.add_node(std::move(node), std::array{name}, std::array{type});
    return to_.node(made).outputs[0];
  }

  static TensorType turned(const TensorType& type, const std::vector<std::int64_t>& perm) {
    if (perm.empty()) return type;
    std::vector<Dim> dims;
    for (const std::int64_t axis : perm) dims.push_back((*type.shape)[static_cast<std::size_t>(axis)]);
    return {type.dtype, std::move(dims)};
  }

  ValueId transpose(ValueId x, const std::vector<std::int64_t>& perm, const std::string& node,
                    const std::string& name) {
    if (perm.empty()) return x;
    Node turn{.op = "Transpose", .name = node, .inputs = {x}, .outputs = {}};
    turn.set("perm", perm);
    return add(std::move(turn), name, turned(to_.value(x).type, perm));
  }

  bool lower(const Node& node) {
    if (node.inputs.size() != 2 || node.outputs.size() != 1) return false;
    const auto equation = parsed(node.text("equation", ""));
    const auto product = equation ? as_product(*equation) : std::nullopt;
    const Value& y = from_.value(node.outputs[0]);
    if (!product || !same_extents(from_, node, *equation) || !y.type.shape) return false;
    std::array<ValueId, 2> sides{};
    for (const std::size_t i : {std::size_t{0}, std::size_t{1}})
      sides[i] = transpose(now_[node.inputs[i]], order(equation->operands[i], product->operands[i]), node.name,
                           y.name + ".operand" + std::to_string(i));
    const auto back = order(product->result, equation->result);
    Node matmul{.op = "MatMul", .name = node.name, .inputs = {sides[0], sides[1]}, .outputs = {}};
    const ValueId made = add(std::move(matmul), back.empty() ? y.name : y.name + ".product",
                             turned(y.type, order(equation->result, product->result)));
    now_[node.outputs[0]] = transpose(made, back, node.name, y.name);
    return true;
  }

  const Graph& from_;
  Graph to_;
  std::vector<ValueId> now_;
};

Graph lower_einsum(const Graph& graph) {
  if (std::ranges::none_of(graph.nodes(), [](const Node& node) { return node.op == "Einsum"; })) return graph;
  return Lowering(graph).run();
}

}  // namespace

extern const GraphPass lower_einsum_pass;
const GraphPass lower_einsum_pass = {
    .name = "lower_einsum",
    .help = "Writes an Einsum of two operands as a product of matrices where it is one.",
    .run = lower_einsum,
};

}  // namespace skerry::passes
