// Operators between DequantizeLinear and QuantizeLinear become operators on integers:
//
//     q ─ DequantizeLinear ─ Conv ─ [Relu | Clip] ─ QuantizeLinear ─ r      becomes      q ─ QLinearConv ─ r
//     w ─ DequantizeLinear ─┘
//
// What only moves elements moves the quantised ones, where both ends have the same scale and zero point.
#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <string_view>
#include <vector>

#include "passes/pass.hpp"

namespace skerry::passes {
namespace {

constexpr std::array<std::string_view, 6> kMovers = {"Flatten", "MaxPool",   "Reshape",
                                                     "Squeeze", "Transpose", "Unsqueeze"};

struct Quant {
  ValueId q = kNoValue, scale = kNoValue, zero = kNoValue;
};

class QuantizedFuser {
 public:
  explicit QuantizedFuser(const Graph& graph)
      : graph_(graph), output_(graph), uses_(graph.use_counts()), first_user_(graph.values().size(), kNoNode) {
    for (NodeId id = 0; id < graph.nodes().size(); ++id) {
      for (const ValueId input : graph.node(id).inputs) {
        if (input != kNoValue) first_user_[input] = id;
      }
    }
  }

  Graph run() {
    for (NodeId id = 0; id < graph_.nodes().size(); ++id) {
      if (graph_.node(id).op == "QuantizeLinear") visit(id);
      if (graph_.node(id).op == "Gemm") keep_real(id);
    }
    return std::move(output_);
  }

 private:
  const Tensor* constant(ValueId id) const {
    return id == kNoValue || !graph_.value(id).constant ? nullptr : &*graph_.value(id).constant;
  }
  static ValueId input(const Node& node, std::size_t index) {
    return index < node.inputs.size() ? node.inputs[index] : kNoValue;
  }
  const Node* producer(ValueId id) const {
    if (id == kNoValue || graph_.value(id).producer == kNoNode) return nullptr;
    return &graph_.node(graph_.value(id).producer);
  }
  static bool is_byte(DType dtype) { return dtype == DType::u8 || dtype == DType::i8; }

  bool is_scale(ValueId id, bool single) const {
    const Tensor* scale = constant(id);
    if (scale == nullptr || scale->dtype() != DType::f32) return false;
    return single ? scale->shape().elements() == 1 : scale->shape().rank() <= 1;
  }

  // The quantised tensor behind a DequantizeLinear with one scale (or one per `axis`, if given).
  std::optional<Quant> behind(ValueId real, std::optional<std::int64_t> axis = std::nullopt) const {
    const Node* node = producer(real);
    if (node == nullptr || node->op != "DequantizeLinear" || node->integer("block_size", 0) != 0) return std::nullopt;
    const Quant quant{input(*node, 0), input(*node, 1), input(*node, 2)};
    if (!is_byte(graph_.value(quant.q).type.dtype) || !is_scale(quant.scale, !axis)) return std::nullopt;
    if (quant.zero != kNoValue && constant(quant.zero) == nullptr) return std::nullopt;
    const bool single = constant(quant.scale)->shape().elements() == 1;
    if (!single && node->integer("axis", 1) != *axis) return std::nullopt;
    return quant;
  }

  float number(ValueId id) const { return constant(id)->as<float>()[0]; }
  std::int64_t zero_of(ValueId id) const {
    const Tensor* zero = constant(id);
    if (zero == nullptr) return 0;
    return zero->dtype() == DType::i8 ? zero->as<std::int8_t>()[0]
                                      : static_cast<std::int64_t>(zero->as<std::uint8_t>()[0]);
  }

  // The i32 bias behind a DequantizeLinear by the scales of both sides; nothing to add is kNoValue.
  std::optional<ValueId> bias_behind(ValueId real, const Quant& x, const Quant& w) const {
    if (real == kNoValue) return kNoValue;
    const Node* node = producer(real);
    if (node == nullptr || node->op != "DequantizeLinear") return std::nullopt;
    const Tensor *bias = constant(input(*node, 0)), *scale = constant(input(*node, 1));
    if (bias == nullptr || bias->dtype() != DType::i32 || scale == nullptr || scale->dtype() != DType::f32)
      return std::nullopt;
    const Tensor* zero = constant(input(*node, 2));
    if (zero != nullptr && !std::ranges::all_of(zero->as<std::int32_t>(), [](auto z) { return z == 0; }))
      return std::nullopt;
    const auto given = scale->as<float>(), per_output = constant(w.scale)->as<float>();
    for (std::size_t i = 0; i < per_output.size(); ++i) {
      const float wanted = number(x.scale) * per_output[i], found = given[given.size() == 1 ? 0 : i];
      if (given.size() != 1 && given.size() != per_output.size()) return std::nullopt;
      if (std::abs(found - wanted) > 1e-3F * std::abs(wanted)) return std::nullopt;
    }
    return input(*node, 0);
  }

  // What stands before the QuantizeLinear: its own dtype and parameters, and the bounds of activations on the way.
  struct Target {
    NodeId id;
    Quant quant;
    std::int64_t low, high;
    bool bounded = false;
  };

  std::optional<Target> target_of(NodeId id) const {
    const Node& node = graph_.node(id);
    Target target{id, {input(node, 0), input(node, 1), input(node, 2)}, 0, 0};
    const DType dtype = graph_.value(node.outputs[0]).type.dtype;
    if (!is_byte(dtype) || node.integer("block_size", 0) != 0 || !is_scale(target.quant.scale, true))
      return std::nullopt;
    if (graph_.value(target.quant.q).type.dtype != DType::f32) return std::nullopt;
    if (target.quant.zero != kNoValue && constant(target.quant.zero) == nullptr) return std::nullopt;
    target.low = dtype == DType::i8 ? -128 : 0;
    target.high = dtype == DType::i8 ? 127 : 255;
    return target;
  }

  bool only_use(ValueId id) const { return uses_[id] == 1; }

  // Follows activations that only bound the result backwards; rounding is monotone, so they may bound the integers.
  void absorb_bounds(Target& target) const {
    while (const Node* node = producer(target.quant.q)) {
      if ((node->op != "Relu" && node->op != "Clip") || !only_use(target.quant.q)) return;
      const auto quantised = [&](float real) {
        const float q = std::nearbyint(real / number(target.quant.scale));
        return static_cast<std::int64_t>(std::clamp(q, -512.0F, 512.0F)) + zero_of(target.quant.zero);
      };
      std::int64_t low = target.low, high = target.high;
      for (const std::size_t i : {std::size_t{1}, std::size_t{2}}) {
        if (node->op == "Relu" || input(*node, i) == kNoValue) continue;
        const Tensor* bound = constant(input(*node, i));
        if (bound == nullptr || bound->dtype() != DType::f32 || bound->shape().elements() != 1) return;
        (i == 1 ? low : high) = quantised(bound->as<float>()[0]);
      }
      if (node->op == "Relu") low = quantised(0.0F);
      target.bounded = target.bounded || low > target.low || high < target.high;
      target.low = std::min(std::max(target.low, low), target.high);
      target.high = std::max(std::min(target.high, high), target.low);
      target.quant.q = input(*node, 0);
    }
  }

  void visit(NodeId id) {
    const auto plain = target_of(id);
    if (!plain) return;
    Target bounded = *plain;
    absorb_bounds(bounded);
    for (const Target& target : {*plain, bounded}) {
      const Node* node = producer(target.quant.q);
      if (node == nullptr || !only_use(target.quant.q)) continue;
      if (auto fused = target.bounded ? product(*node, target) : any(*node, target)) {
        fused->name = node->name;
        fused->outputs = graph_.node(id).outputs;
        if (target.bounded) {
          fused->set("low", target.low);
          fused->set("high", target.high);
        }
        output_.edit_node(id) = std::move(*fused);
        return;
      }
    }
  }

  std::optional<Node> any(const Node& node, const Target& target) const {
    if (auto fused = product(node, target)) return fused;
    if (auto fused = of_one(node, target)) return fused;
    if (auto fused = of_two(node, target)) return fused;
    return concat(node, target);
  }

  std::optional<Node> product(const Node& node, const Target& target) const {
    if (node.op != "Conv" && node.op != "MatMul" && node.op != "Gemm") return std::nullopt;
    const auto x = behind(input(node, 0));
    const std::int64_t axis = node.op == "Conv" || node.integer("transB", 0) != 0 ? 0 : 1;
    const auto w = behind(input(node, 1), axis);
    if (!x || !w) return std::nullopt;
    if (node.op == "MatMul" && constant(w->scale)->shape().elements() != 1 &&
        (!graph_.value(w->q).type.shape || graph_.value(w->q).type.shape->size() != 2))
      return std::nullopt;
    const auto bias = bias_behind(input(node, 2), *x, *w);
    if (!bias) return std::nullopt;
    Node out = node;
    const Quant& y = target.quant;
    if (node.op == "Gemm") {
      const bool scaled = node.real("alpha", 1.0) != 1.0 || (*bias != kNoValue && node.real("beta", 1.0) != 1.0);
      if (scaled) return std::nullopt;
      out.op = "com.microsoft.QGemm";
      out.inputs = {x->q, x->scale, x->zero, w->q, w->scale, w->zero, *bias, y.scale, y.zero};
      return out;
    }
    out.op = node.op == "Conv" ? "QLinearConv" : "QLinearMatMul";
    out.inputs = {x->q, x->scale, x->zero, w->q, w->scale, w->zero, y.scale, y.zero};
    if (*bias != kNoValue) out.inputs.push_back(*bias);
    // Both operators want a zero point where the dtype of the result is not u8.
    if (y.zero == kNoValue && graph_.value(graph_.node(target.id).outputs[0]).type.dtype != DType::u8)
      return std::nullopt;
    return out;
  }

  bool is_row_softmax(const Node& node) const {
    const auto& shape = graph_.value(node.inputs[0]).type.shape;
    const std::int64_t axis = node.integer("axis", -1);
    return node.op == "Softmax" && node.integer("flatten", 0) == 0 &&
           (axis == -1 || (shape && axis == static_cast<std::int64_t>(shape->size()) - 1));
  }

  std::optional<Node> of_one(const Node& node, const Target& target) const {
    const auto x = behind(input(node, 0));
    if (!x || graph_.value(x->q).type.dtype != graph_.value(graph_.node(target.id).outputs[0]).type.dtype)
      return std::nullopt;
    const Quant& y = target.quant;
    Node out = node;
    if (std::ranges::find(kMovers, node.op) != kMovers.end()) {
      const bool same = number(x->scale) == number(y.scale) && zero_of(x->zero) == zero_of(y.zero);
      if (!same || node.outputs.size() != 1) return std::nullopt;
      out.inputs[0] = x->q;
      return out;
    }
    const bool known =
        node.op == "GlobalAveragePool" || node.op == "AveragePool" || node.op == "Sigmoid" || node.op == "LeakyRelu";
    if (!known) return std::nullopt;
    out.op = "com.microsoft.QLinear" + node.op;
    out.inputs = {x->q, x->scale, x->zero, y.scale, y.zero};
    return out;
  }

  std::optional<Node> of_two(const Node& node, const Target& target) const {
    if (node.op != "Add" && node.op != "Mul") return std::nullopt;
    const auto a = behind(input(node, 0)), b = behind(input(node, 1));
    const DType dtype = graph_.value(graph_.node(target.id).outputs[0]).type.dtype;
    if (!a || !b || node.find("axis") != nullptr || graph_.value(a->q).type.dtype != dtype ||
        graph_.value(b->q).type.dtype != dtype)
      return std::nullopt;
    Node out = node;
    out.op = "com.microsoft.QLinear" + node.op;
    out.inputs = {a->q, a->scale, a->zero, b->q, b->scale, b->zero, target.quant.scale, target.quant.zero};
    return out;
  }

  std::optional<Node> concat(const Node& node, const Target& target) const {
    if (node.op != "Concat") return std::nullopt;
    Node out = node;
    out.op = "com.microsoft.QLinearConcat";
    out.inputs = {target.quant.scale, target.quant.zero};
    for (const ValueId part : node.inputs) {
      const auto x = behind(part);
      if (!x || graph_.value(x->q).type.dtype != graph_.value(graph_.node(target.id).outputs[0]).type.dtype)
        return std::nullopt;
      out.inputs.insert(out.inputs.end(), {x->q, x->scale, x->zero});
    }
    return out;
  }

  // A Gemm of quantised matrices whose result is not quantised again.
  void keep_real(NodeId id) {
    const Node& node = graph_.node(id);
    const Node* next = first_user_[node.outputs[0]] == kNoNode ? nullptr : &graph_.node(first_user_[node.outputs[0]]);
    if (next != nullptr && next->op == "QuantizeLinear" && only_use(node.outputs[0])) return;
    auto fused = product(node, {.id = id, .quant = {}, .low = 0, .high = 0});
    if (!fused) return;
    fused->outputs = node.outputs;
    while (fused->inputs.back() == kNoValue) fused->inputs.pop_back();
    output_.edit_node(id) = std::move(*fused);
  }

  const Graph& graph_;
  Graph output_;
  std::vector<std::uint32_t> uses_;
  std::vector<NodeId> first_user_;  ///< some user of each value
};

Graph fuse_quantized(const Graph& graph) {
  return QuantizedFuser(graph).run();
}

}  // namespace

extern const GraphPass fuse_quantized_pass;
const GraphPass fuse_quantized_pass = {
    .name = "fuse_quantized",
    .help = "Computes in integers what stands between dequantising and quantising.",
    .run = fuse_quantized,
};

}  // namespace skerry::passes
