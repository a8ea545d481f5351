// What dynamic quantisation leaves after its integers becomes one operator, which scales a block while it is in the
// cache:
//
//     x ─ DynamicQuantizeLinear ─ a, scale, zero
//     MatMulInteger(a, b, zero, b_zero) ─ Cast ─ Mul(scale b_scale) ─ [Add bias]      becomes      MatMulIntegerToFloat
#include "passes/pass.hpp"
#include "passes/tensor/matcher.hpp"

namespace skerry::passes {
namespace {

constexpr std::string_view kFused = "com.microsoft.MatMulIntegerToFloat";

class ScaledProductFuser {
 public:
  explicit ScaledProductFuser(const Graph& graph) : graph_(graph), output_(graph), match_(graph) {}

  Graph run() {
    for (NodeId id = 0; id < graph_.nodes().size(); ++id) {
      if (graph_.node(id).op == "Mul") scale(id);
    }
    return std::move(output_);
  }

 private:
  // A scale of the weights: one number, or one for each column.
  bool is_weight_scale(ValueId id, std::int64_t columns) const {
    const auto& constant = graph_.value(id).constant;
    return constant && constant->dtype() == DType::f32 && constant->shape().rank() <= 1 &&
           (constant->shape().elements() == 1 || constant->shape().elements() == columns);
  }

  void scale(NodeId id) {
    for (const std::size_t side : {std::size_t{0}, std::size_t{1}}) {
      const Node* cast = match_.made_by(graph_.node(id).inputs[side], "Cast");
      const Node* product = cast == nullptr ? nullptr : match_.made_by(cast->inputs[0], "MatMulInteger");
      const Node* scales = match_.made_by(graph_.node(id).inputs[1 - side], "Mul");
      if (product == nullptr || scales == nullptr || !match_.single_use(cast->outputs[0]) ||
          !match_.single_use(cast->inputs[0]))
        continue;
      if (graph_.value(cast->outputs[0]).type.dtype != DType::f32) continue;
      const auto& right = graph_.value(product->inputs[1]).type.shape;
      if (!right || right->size() != 2 || !right->back().is_known()) continue;
      for (const std::size_t which : {std::size_t{0}, std::size_t{1}}) {
        const ValueId a_scale = scales->inputs[which], b_scale = scales->inputs[1 - which];
        // The scale of this very product's left side, of which there is one.
        if (a_scale == kNoValue || graph_.value(a_scale).producer == kNoNode) continue;
        const Node& quantize = graph_.node(graph_.value(a_scale).producer);
        if (quantize.op != "DynamicQuantizeLinear" || quantize.outputs[1] != a_scale) continue;
        if (!is_weight_scale(b_scale, right->back().value)) continue;
        fuse(id, *product, a_scale, b_scale);
        return;
      }
    }
  }

  void fuse(NodeId id, const Node& product, ValueId a_scale, ValueId b_scale) {
    const auto zero = [&product](std::size_t i) { return i < product.inputs.size() ? product.inputs[i] : kNoValue; };
    Node fused{.op = std::string(kFused), .name = product.name};
    fused.inputs = {product.inputs[0], product.inputs[1], a_scale, b_scale, zero(2), zero(3)};
    fused.outputs = graph_.node(id).outputs;
    output_.edit_node(id) = std::move(fused);
  }

  const Graph& graph_;
  Graph output_;
  const Matcher match_;
};

}  // namespace

extern const GraphPass fuse_scaled_products_pass;
const GraphPass fuse_scaled_products_pass = {
    .name = "fuse_scaled_products",
    .help = "Scales an integer product of dynamic quantisation while it is in the cache.",
    .run = [](const Graph& graph) { return ScaledProductFuser(graph).run(); },
};

}  // namespace skerry::passes
