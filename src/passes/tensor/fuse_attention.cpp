// Attention as exporters spell it out becomes one operator, which keeps the scores in the cache and turns no heads:
//
//     q ─ Reshape ─ Transpose 0213 ─┐
//     k ─ Reshape ─ Transpose 0231 ─ MatMul ─ [Mul | Div] ─ [Add mask] ─ Softmax ─┐
//     v ─ Reshape ─ Transpose 0213 ─────────────────────────────────────────── MatMul ─ Transpose 0213 ─ Reshape ─ y
//
// becomes   Attention(q, k, v, mask). A row whose added mask hides everything is 0 afterwards, where it was not a
// number. A mask of truth values may stand in a Where instead of the Add, its other side being one number, which the
// operator then puts in the place of the scores: such rows stay what they were.
#include <cstring>
#include <limits>
#include <optional>
#include <vector>

#include "passes/pass.hpp"
#include "passes/tensor/matcher.hpp"

namespace skerry::passes {
namespace {

using Order = std::vector<std::int64_t>;

struct Heads {
  ValueId x = kNoValue;  ///< [N, L, heads * size]
  std::int64_t heads = 0, size = 0;
};

class AttentionFuser {
 public:
  explicit AttentionFuser(const Graph& graph) : graph_(graph), output_(graph), match_(graph) {}

  Graph run() {
    for (NodeId id = 0; id < graph_.nodes().size(); ++id) {
      if (graph_.node(id).op == "Reshape") visit(id);
    }
    return std::move(output_);
  }

 private:
  const Node* turned(ValueId id, const Order& order) const {
    const Node* node = match_.made_by(id, "Transpose");
    return node != nullptr && node->integers("perm") == order ? node : nullptr;
  }

  // The heads in a value [N, heads, L, size] (or [N, heads, size, L] for the keys).
  std::optional<Heads> heads_of(ValueId id, const Order& order) const {
    const Node* turn = turned(id, order);
    const Node* split = turn == nullptr ? nullptr : match_.made_by(turn->inputs[0], "Reshape");
    if (split == nullptr) return std::nullopt;
    const ValueId x = split->inputs[0];
    const auto& before = graph_.value(x).type.shape;
    const auto& after = graph_.value(split->outputs[0]).type.shape;
    const std::int64_t width = match_.width(x, 3);
    if (width < 1 || before->size() != 3 || !after || after->size() != 4) return std::nullopt;
    const Dim &heads = (*after)[2], &size = (*after)[3];
    // One of the two leading axes as it was: then the other one is too.
    if (!(*before)[0].same_as((*after)[0]) && !(*before)[1].same_as((*after)[1])) return std::nullopt;
    if (!heads.is_known() || !size.is_known() || heads.value * size.value != width) return std::nullopt;
    return Heads{x, heads.value, size.value};
  }

  std::optional<Heads> keys_of(ValueId id) const {
    if (const auto keys = heads_of(id, {0, 2, 3, 1})) return keys;
    const Node* turn = turned(id, {0, 1, 3, 2});
    return turn == nullptr ? std::nullopt : heads_of(turn->inputs[0], {0, 2, 1, 3});
  }

  struct Scores {
    Heads q, k;
    double scale = 1.0;
    ValueId mask = kNoValue;
    std::optional<double> fill = std::nullopt;  ///< the mask is of truth values
    bool hides = false;                         ///< the truth value that stands for it
  };
  std::optional<Scores> plain_scores(ValueId id) const {
    const auto product = match_.product(id);
    const Node* matmul = product.values.size() == 1 ? match_.made_by(product.values[0], "MatMul") : nullptr;
    if (matmul == nullptr || matmul->inputs.size() != 2) return std::nullopt;
    const auto queries = match_.product(matmul->inputs[0]), keys = match_.product(matmul->inputs[1]);
    if (queries.values.size() != 1 || keys.values.size() != 1) return std::nullopt;
    const auto q = heads_of(queries.values[0], {0, 2, 1, 3}), k = keys_of(keys.values[0]);
    if (!q || !k || q->heads != k->heads || q->size != k->size) return std::nullopt;
    return Scores{*q, *k, product.factor * queries.factor * keys.factor};
  }
  // The mask spreads over the scores, never the other way round.
  bool spreads(ValueId mask, ValueId over, DType dtype) const {
    const TensorType& type = graph_.value(mask).type;
    const auto& whole = graph_.value(over).type.shape;
    if (type.dtype != dtype || !type.shape || type.shape->size() > 4 || !whole || whole->size() != 4) return false;
    for (std::size_t back = 0; back < type.shape->size(); ++back) {
      const Dim& extent = (*type.shape)[type.shape->size() - 1 - back];
      if (!(extent.is_known() && extent.value == 1) && !extent.same_as((*whole)[3 - back])) return false;
    }
    return true;
  }
  // The mask as far as it need be there: one that is expanded to the scores spreads by itself. kNoValue: it is none.
  ValueId mask_over(ValueId mask, ValueId over, DType dtype) const {
    if (!spreads(mask, over, dtype)) return kNoValue;
    const Node* expanded = match_.made_by(mask, "Expand");
    return expanded != nullptr && spreads(expanded->inputs[0], over, dtype) ? expanded->inputs[0] : mask;
  }
  // The one number of an f32 constant of at most the scores' rank; nothing where it is none or plus infinity.
  std::optional<double> fill_of(ValueId id) const {
    const auto& constant = graph_.value(id).constant;
    if (!constant || constant->dtype() != DType::f32 || constant->shape().elements() != 1 ||
        constant->shape().rank() > 4)
      return std::nullopt;
    float value = 0.0F;  // a constant may stand anywhere in a mapped file
    std::memcpy(&value, constant->view().data(), sizeof value);
    if (!(value < std::numeric_limits<float>::infinity())) return std::nullopt;
    return static_cast<double>(value);
  }
  std::optional<Scores> chosen_scores(const Node& where) const {
    for (const bool hides : {false, true}) {
      const ValueId kept = where.inputs[hides ? 2 : 1];
      const auto fill = fill_of(where.inputs[hides ? 1 : 2]);
      auto scores = fill ? plain_scores(kept) : std::nullopt;
      const ValueId mask = scores ? mask_over(where.inputs[0], kept, DType::boolean) : kNoValue;
      if (mask == kNoValue) continue;
      scores->mask = mask;
      scores->fill = fill;
      scores->hides = hides;
      return scores;
    }
    return std::nullopt;
  }
  std::optional<Scores> scores_of(ValueId id) const {
    if (const Node* where = match_.made_by(id, "Where")) return chosen_scores(*where);
    const Node* masked = match_.made_by(id, "Add");
    if (masked == nullptr) return plain_scores(id);
    for (const std::size_t side : {std::size_t{0}, std::size_t{1}}) {
      auto scores = plain_scores(masked->inputs[side]);
      const ValueId mask = scores ? mask_over(masked->inputs[1 - side], masked->inputs[side], DType::f32) : kNoValue;
      if (mask == kNoValue) continue;
      scores->mask = mask;
      return scores;
    }
    return std::nullopt;
  }

  void visit(NodeId id) {
    const ValueId y = graph_.node(id).outputs[0];
    const Node* turn = turned(graph_.node(id).inputs[0], {0, 2, 1, 3});
    const Node* mixed = turn == nullptr ? nullptr : match_.made_by(turn->inputs[0], "MatMul");
    const Node* softmax = mixed == nullptr ? nullptr : match_.made_by(mixed->inputs[0], "Softmax");
    if (softmax == nullptr || mixed->inputs.size() != 2 || !match_.single_use(softmax->outputs[0])) return;
    const std::int64_t axis = softmax->integer("axis", -1);
    if (axis != -1 && axis != 3) return;
    const auto v = heads_of(mixed->inputs[1], {0, 2, 1, 3});
    const auto scores = scores_of(softmax->inputs[0]);
    const auto& joined = graph_.value(y).type.shape;
    const auto& turned_shape = graph_.value(turn->outputs[0]).type.shape;
    if (!v || !scores || v->heads != scores->q.heads || !joined || joined->size() != 3 || !turned_shape) return;
    if (match_.width(y, 3) != v->heads * v->size) return;
    if (!(*joined)[0].same_as((*turned_shape)[0]) && !(*joined)[1].same_as((*turned_shape)[1])) return;
    Node attention{.op = "Attention", .name = graph_.node(id).name, .inputs = {scores->q.x, scores->k.x, v->x}};
    if (scores->mask != kNoValue) attention.inputs.push_back(scores->mask);
    attention.outputs = {y};
    attention.set("kv_num_heads", v->heads);
    attention.set("q_num_heads", v->heads);
    attention.set("scale", scores->scale);
    if (scores->fill) {
      attention.set("mask_hides", std::int64_t{scores->hides});
      attention.set("masked_score", *scores->fill);
    }
    output_.edit_node(id) = std::move(attention);
  }

  const Graph& graph_;
  Graph output_;
  const Matcher match_;
};

}  // namespace

extern const GraphPass fuse_attention_pass;
const GraphPass fuse_attention_pass = {
    .name = "fuse_attention",
    .help = "Recognises softmax(q k^T) v over heads that were split and turned, and makes it one operator.",
    .run = [](const Graph& graph) { return AttentionFuser(graph).run(); },
};

}  // namespace skerry::passes
