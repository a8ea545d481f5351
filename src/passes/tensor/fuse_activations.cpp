// What follows a convolution or a product element by element is done while its result is in the cache:
//
//     Conv ─ [Add r] ─ [Relu | Clip]      becomes      Conv with input 3 = r, attributes least and most
//
//     MatMul ─ [Add b] ─ [Add r] ─ [Relu | Clip | Gelu | Sigmoid | Tanh | HardSwish]      becomes
//     MatMul with inputs 2 = b and 3 = r, attributes least and most, or activation
#include <algorithm>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "passes/pass.hpp"

namespace skerry::passes {
namespace {

// Functions of one element that a product ends with.
constexpr std::pair<std::string_view, std::string_view> kFunctions[] = {
    {"Gelu", "gelu"}, {"HardSwish", "hard_swish"}, {"Sigmoid", "sigmoid"}, {"Tanh", "tanh"}};

class ActivationFuser {
 public:
  explicit ActivationFuser(const Graph& graph)
      : output_(graph), dead_(graph.nodes().size(), 0), uses_(graph.use_counts()) {}

  Graph run() {
    for (NodeId id = 0; id < output_.nodes().size(); ++id) {
      const Node& node = output_.node(id);
      if (node.op == "Add") add(id);
      if (node.op == "Relu") bound(id, 0.0, std::numeric_limits<double>::infinity());
      if (node.op == "Clip") clip(id);
      for (const auto& [op, function] : kFunctions) {
        if (node.op == op) activate(id, std::string(function));
      }
    }
    output_.compact(dead_);
    return std::move(output_);
  }

 private:
  static constexpr std::string_view kQuantised = "com.microsoft.MatMulIntegerToFloat";
  static bool is_product(const Node& node) { return node.op == "Gemm" || node.op == "MatMul" || node.op == kQuantised; }
  // Where a product or convolution takes its bias; the residual follows.
  static std::size_t bias_at(const Node& node) { return node.op == kQuantised ? 6 : 2; }

  // The node that makes a value which nobody else reads, if it can end with what follows.
  std::optional<NodeId> maker(ValueId id) const {
    if (id == kNoValue || output_.value(id).producer == kNoNode || uses_[id] != 1) return std::nullopt;
    if (output_.value(id).type.dtype != DType::f32) return std::nullopt;
    const NodeId maker = output_.value(id).producer;
    const Node& node = output_.node(maker);
    const bool open =
        node.find("least") == nullptr && node.find("most") == nullptr && node.find("activation") == nullptr;
    return open && (node.op == "Conv" || is_product(node)) ? std::optional(maker) : std::nullopt;
  }

  static bool same_shape(const TensorType& a, const TensorType& b) {
    return a.dtype == b.dtype && a.shape && b.shape &&
           std::ranges::equal(*a.shape, *b.shape, [](const Dim& x, const Dim& y) { return x.same_as(y); });
  }

  // The later node takes the earlier one's work, so that everything it reads is there. What is read as often as before
  // keeps its count; the value between the two is read no more.
  void move_to(NodeId from, NodeId to) {
    Node node = output_.node(from);
    node.outputs = output_.node(to).outputs;
    node.name = output_.node(from).name;
    output_.edit_node(to) = std::move(node);
    dead_[from] = 1;
  }

  static bool is_given(const Node& node, std::size_t input) {
    return node.inputs.size() > input && node.inputs[input] != kNoValue;
  }

  // A number for each column of a MatMul that adds nothing yet.
  bool is_bias(ValueId id, const Node& matmul) const {
    const auto& constant = output_.value(id).constant;
    const auto& right = output_.value(matmul.inputs[1]).type.shape;
    return (matmul.op == "MatMul" || matmul.op == kQuantised) && matmul.inputs.size() <= bias_at(matmul) && constant &&
           constant->dtype() == DType::f32 && constant->shape().rank() == 1 && right && right->size() > 1 &&
           right->back().is_known() && right->back().value == constant->shape()[0];
  }

  void add(NodeId id) {
    const Node add = output_.node(id);
    if (add.inputs.size() != 2 || add.find("axis") != nullptr || add.inputs[0] == add.inputs[1]) return;
    // The later of two convolutions, so that the other one's result is what is added.
    for (const std::size_t side : {std::size_t{1}, std::size_t{0}}) {
      const auto from = maker(add.inputs[side]);
      const ValueId added = add.inputs[1 - side];
      if (!from || added == kNoValue) continue;
      const bool bias = is_bias(added, output_.node(*from));
      const std::size_t at = bias_at(output_.node(*from)) + (bias ? 0 : 1);
      if (!bias && (is_given(output_.node(*from), at) ||
                    !same_shape(output_.value(add.inputs[side]).type, output_.value(added).type)))
        continue;
      move_to(*from, id);
      Node& fused = output_.edit_node(id);
      fused.inputs.resize(std::max(fused.inputs.size(), at + 1), kNoValue);
      fused.inputs[at] = added;
      return;
    }
  }

  void activate(NodeId id, std::string function) {
    const Node& node = output_.node(id);
    if (node.text("approximate", "none") == "tanh") function += "_tanh";
    const auto from = maker(node.inputs[0]);
    if (!from || !is_product(output_.node(*from))) return;
    move_to(*from, id);
    output_.edit_node(id).set("activation", std::move(function));
  }

  void bound(NodeId id, double least, double most) {
    const auto from = maker(output_.node(id).inputs[0]);
    if (!from) return;
    move_to(*from, id);
    Node& fused = output_.edit_node(id);
    if (least > -std::numeric_limits<double>::infinity()) fused.set("least", least);
    if (most < std::numeric_limits<double>::infinity()) fused.set("most", most);
  }

  void clip(NodeId id) {
    const Node& node = output_.node(id);
    double bounds[] = {-std::numeric_limits<double>::infinity(), std::numeric_limits<double>::infinity()};
    for (const std::size_t i : {std::size_t{1}, std::size_t{2}}) {
      if (i >= node.inputs.size() || node.inputs[i] == kNoValue) continue;
      const auto& constant = output_.value(node.inputs[i]).constant;
      if (!constant || constant->dtype() != DType::f32 || constant->shape().elements() != 1) return;
      float value = 0.0F;
      std::copy_n(constant->view().data(), sizeof value, reinterpret_cast<std::byte*>(&value));
      bounds[i - 1] = static_cast<double>(value);
    }
    // Where the lower bound is above the other one all is the upper one, as two steps give it too.
    bound(id, bounds[0], bounds[1]);
  }

  Graph output_;
  std::vector<std::uint8_t> dead_;
  const std::vector<std::uint32_t> uses_;
};

Graph fuse_activations(const Graph& graph) {
  return ActivationFuser(graph).run();
}

}  // namespace

extern const GraphPass fuse_activations_pass;
const GraphPass fuse_activations_pass = {
    .name = "fuse_activations",
    .help = "Adds residuals to convolutions, and bounds them and products, while the result is in the cache.",
    .run = fuse_activations,
};

}  // namespace skerry::passes
