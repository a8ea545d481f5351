// (x - mean) / sqrt(mean((x - mean)^2) + epsilon) * gain + offset over the last axis becomes LayerNormalization.
#include <skerry/graph.hpp>

#include "passes/pass.hpp"
#include "passes/tensor/matcher.hpp"

namespace skerry::passes {
namespace {

class LayerNormFuser {
 public:
  explicit LayerNormFuser(const Graph& graph) : graph_(graph), output_(graph), match_(graph) {}

  Graph run() {
    for (NodeId id = 0; id < graph_.nodes().size(); ++id) {
      if (graph_.node(id).op == "Add") visit(id);
    }
    return std::move(output_);
  }

 private:
  // x where `id` is its mean over the last axis, which is kept.
  ValueId mean_of(ValueId id) const {
    const Node* mean = match_.made_by(id, "ReduceMean");
    if (mean == nullptr || mean->integer("keepdims", 1) == 0 || mean->inputs.size() < 2) return kNoValue;
    const ValueId x = mean->inputs[0];
    const auto& axes = graph_.value(mean->inputs[1]).constant;
    const auto& shape = graph_.value(x).type.shape;
    if (!axes || axes->dtype() != DType::i64 || axes->shape().elements() != 1 || !shape) return kNoValue;
    std::int64_t axis = 0;
    __builtin_memcpy(&axis, axes->view().data(), sizeof axis);
    return axis == -1 || axis + 1 == static_cast<std::int64_t>(shape->size()) ? x : kNoValue;
  }

  // Whether `id` is sqrt(mean(centred^2) + epsilon), and which epsilon.
  std::optional<double> deviation_of(ValueId id, ValueId centred) const {
    const Node* root = match_.made_by(id, "Sqrt");
    const Node* sum = root == nullptr ? nullptr : match_.made_by(root->inputs[0], "Add");
    if (sum == nullptr) return std::nullopt;
    for (const std::size_t side : {std::size_t{0}, std::size_t{1}}) {
      const auto epsilon = match_.number(sum->inputs[1 - side]);
      const ValueId square = mean_of(sum->inputs[side]);
      if (!epsilon || square == kNoValue) continue;
      const Node* power = match_.made_by(square, "Pow");
      const Node* product = match_.made_by(square, "Mul");
      const bool squared =
          (power != nullptr && power->inputs[0] == centred && match_.is_number(power->inputs[1], 2.0)) ||
          (product != nullptr && product->inputs[0] == centred && product->inputs[1] == centred);
      if (squared) return epsilon;
    }
    return std::nullopt;
  }

  void visit(NodeId id) {
    const Node& add = graph_.node(id);
    for (const std::size_t side : {std::size_t{0}, std::size_t{1}}) {
      const Node* scaled = match_.made_by(add.inputs[side], "Mul");
      if (scaled == nullptr) continue;
      for (const std::size_t part : {std::size_t{0}, std::size_t{1}}) {
        if (fuse(id, scaled->inputs[part], scaled->inputs[1 - part], add.inputs[1 - side])) return;
      }
    }
  }

  bool fuse(NodeId id, ValueId normal, ValueId gain, ValueId offset) {
    const Node* ratio = match_.made_by(normal, "Div");
    const Node* centred = ratio == nullptr ? nullptr : match_.made_by(ratio->inputs[0], "Sub");
    if (centred == nullptr) return false;
    const ValueId x = centred->inputs[0];
    if (mean_of(centred->inputs[1]) != x) return false;
    const auto epsilon = deviation_of(ratio->inputs[1], ratio->inputs[0]);
    const std::int64_t width = match_.width(x, 1);
    if (!epsilon || width < 1 || !match_.is_vector(gain, width) || !match_.is_vector(offset, width)) return false;
    Node norm{.op = "LayerNormalization", .name = graph_.node(id).name, .inputs = {x, gain, offset}};
    norm.outputs = graph_.node(id).outputs;
    norm.set("axis", std::int64_t{-1});
    norm.set("epsilon", *epsilon);
    output_.edit_node(id) = std::move(norm);
    return true;
  }

  const Graph& graph_;
  Graph output_;
  const Matcher match_;
};

}  // namespace

extern const GraphPass fuse_layer_norms_pass;
const GraphPass fuse_layer_norms_pass = {
    .name = "fuse_layer_norms",
    .help = "Recognises layer normalisation that was spelled out in nine operators.",
    .run = [](const Graph& graph) { return LayerNormFuser(graph).run(); },
};

}  // namespace skerry::passes
