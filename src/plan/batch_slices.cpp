#include "plan/batch_slices.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <skerry/error.hpp>
#include <string_view>
#include <vector>

#include "ops/nn/evaluate.hpp"

namespace skerry::planning {
namespace {

// Measured on a machine with 32 MB of last-level cache: what a step reads and writes of more than kWide comes from
// memory, and slices of about kNear gained most.
constexpr double kWide = 12e6, kNear = 8e6;
// Weights are read again for each slice, which has to be little beside its tensors.
constexpr double kTensorsPerWeight = 6.0;

// How an operator treats the first axis of what it reads.
enum class Rows : std::uint8_t {
  each,     // element by element, inputs broadcast
  first,    // of input 0 (and residuals), the others are for all rows alike
  axis,     // the same along attribute `axis`, which must not be the first
  reduced,  // axes by attribute or input
  turned,   // by attribute `perm`
  viewed,   // the same elements in the same order
  looked_up,
  attended,  // queries, keys, values, and a mask
};
struct Rule {
  std::string_view op;
  Rows rows;
};
constexpr Rule kRules[] = {
    {"Add", Rows::each},
    {"Attention", Rows::attended},
    {"AveragePool", Rows::first},
    {"Cast", Rows::each},
    {"Clip", Rows::each},
    {"Conv", Rows::first},
    {"Div", Rows::each},
    {"Erf", Rows::each},
    {"Exp", Rows::each},
    {"Flatten", Rows::viewed},
    {"Gather", Rows::looked_up},
    {"Gelu", Rows::each},
    {"Gemm", Rows::first},
    {"GlobalAveragePool", Rows::first},
    {"HardSigmoid", Rows::each},
    {"HardSwish", Rows::each},
    {"Identity", Rows::viewed},
    {"LayerNormalization", Rows::axis},
    {"LeakyRelu", Rows::each},
    {"MatMul", Rows::first},
    {"MaxPool", Rows::first},
    {"Mul", Rows::each},
    {"Pow", Rows::each},
    {"ReduceL2", Rows::reduced},
    {"ReduceMax", Rows::reduced},
    {"ReduceMean", Rows::reduced},
    {"ReduceSum", Rows::reduced},
    {"Relu", Rows::each},
    {"Reshape", Rows::viewed},
    {"Sigmoid", Rows::each},
    {"skerry.Elementwise", Rows::each},
    {"Softmax", Rows::axis},
    {"Sqrt", Rows::each},
    {"Squeeze", Rows::viewed},
    {"Sub", Rows::each},
    {"Tanh", Rows::each},
    {"Transpose", Rows::turned},
    {"Unsqueeze", Rows::viewed},
};

// Which values of a graph of concrete types have a row for each row of the inputs, as far as every operator is known.
class RowWalk {
 public:
  RowWalk(const Graph& graph, std::int64_t count) : graph_(graph), count_(count), has_rows_(graph.values().size(), 0) {}

  bool all() {
    for (const ValueId id : graph_.inputs()) {
      if (!is_led(id) || !has_bytes(id)) return false;
      has_rows_[id] = 1;
    }
    for (const Node& node : graph_.nodes()) {
      if (!keeps_rows(node)) return false;
    }
    return std::ranges::all_of(graph_.outputs(), [this](ValueId id) { return has_rows_[id] != 0 && has_bytes(id); });
  }

 private:
  Shape shape(ValueId id) const { return graph_.value(id).type.static_shape().value_or(Shape{}); }
  bool is_led(ValueId id) const { return shape(id).rank() > 0 && shape(id)[0] == count_; }
  // The caller's rows begin at whole bytes.
  bool has_bytes(ValueId id) const { return dtype_bits(graph_.value(id).type.dtype) >= 8; }
  bool has_rows(ValueId id) const { return id != kNoValue && has_rows_[id] != 0; }

  // Broadcast against a result of that rank, all rows see the same.
  bool is_common(ValueId id, int rank) const {
    if (id == kNoValue) return true;
    if (has_rows(id)) return shape(id).rank() == rank;
    return shape(id).rank() < rank || shape(id)[0] == 1;
  }

  bool keeps_rows(const Node& node) {
    const auto* const rule = std::ranges::find(kRules, node.op, &Rule::op);
    if (rule == std::end(kRules) || node.outputs.size() != 1) return false;
    // Without rows in what it reads, a result is the same for all of them.
    if (std::ranges::none_of(node.inputs, [this](ValueId id) { return has_rows(id); })) return true;
    if (!is_led(node.outputs[0]) || !fits(*rule, node, shape(node.outputs[0]).rank())) return false;
    has_rows_[node.outputs[0]] = 1;
    return true;
  }

  bool fits(const Rule& rule, const Node& node, int rank) const {
    const auto axis_after_rows = [rank](std::int64_t axis) { return axis < 0 ? axis + rank > 0 : axis > 0; };
    switch (rule.rows) {
      case Rows::each:
        return std::ranges::all_of(node.inputs, [&](ValueId id) { return is_common(id, rank); });
      case Rows::first:
        return has_rows(node.inputs[0]) && shape(node.inputs[0]).rank() > 1 && node.integer("transA", 0) == 0 &&
               others_are_common(node, rank);
      case Rows::axis:
        return has_rows(node.inputs[0]) && axis_after_rows(node.integer("axis", -1)) && others_are_common(node, rank);
      case Rows::reduced:
        return has_rows(node.inputs[0]) && reduces_inside(node);
      case Rows::turned: {
        const auto order = node.integers("perm");
        return !order.empty() && order[0] == 0;
      }
      case Rows::viewed:
        return has_rows(node.inputs[0]);
      case Rows::looked_up:
        return !has_rows(node.inputs[0]) && has_rows(node.inputs[1]) && node.integer("axis", 0) == 0;
      case Rows::attended: {
        const auto& in = node.inputs;
        constexpr int kMaskAxes = 4;
        return in.size() >= 3 && in.size() <= 4 && has_rows(in[0]) && has_rows(in[1]) && has_rows(in[2]) &&
               (in.size() < 4 || is_common(in[3], kMaskAxes));
      }
    }
    return false;
  }

  // The weights of products and windows have axes of their own; what is added has the result's.
  bool others_are_common(const Node& node, int rank) const {
    for (std::size_t i = 1; i < node.inputs.size(); ++i) {
      const ValueId id = node.inputs[i];
      if (id == kNoValue) continue;
      const bool is_weight = i == 1 && (node.op == "Conv" || node.op == "Gemm" || node.op == "MatMul");
      if (is_weight ? has_rows(id) || (node.op == "MatMul" && shape(id).rank() > 2) : !is_common(id, rank))
        return false;
    }
    return true;
  }

  bool reduces_inside(const Node& node) const {
    std::vector<std::int64_t> axes = node.integers("axes");
    if (node.inputs.size() > 1 && node.inputs[1] != kNoValue) {
      const auto& constant = graph_.value(node.inputs[1]).constant;
      if (!constant || constant->dtype() != DType::i64) return false;
      const auto given = constant->as<std::int64_t>();
      axes.assign(given.begin(), given.end());
    }
    const int rank = shape(node.inputs[0]).rank();
    return !axes.empty() &&
           std::ranges::all_of(axes, [rank](std::int64_t axis) { return axis < 0 ? axis + rank > 0 : axis > 0; });
  }

  const Graph& graph_;
  const std::int64_t count_;
  std::vector<std::uint8_t> has_rows_;
};

// A number that was computed from how many rows there are differs between the two.
bool have_same_constants(const Graph& a, const Graph& b) {
  if (a.nodes().size() != b.nodes().size()) return false;
  for (NodeId id = 0; id < a.nodes().size(); ++id) {
    const Node &x = a.node(id), &y = b.node(id);
    if (x.op != y.op || x.inputs.size() != y.inputs.size()) return false;
    const bool is_shape = x.op == "Reshape";
    for (std::size_t i = 0; i < x.inputs.size(); ++i) {
      if (x.inputs[i] == kNoValue || (is_shape && i == 1)) continue;
      const auto &one = a.value(x.inputs[i]).constant, &other = b.value(y.inputs[i]).constant;
      if (one.has_value() != other.has_value()) return false;
      if (!one) continue;
      const TensorView v = one->view(), w = other->view();
      if (v.dtype() != w.dtype() || v.shape() != w.shape()) return false;
      if (v.data() != w.data() && std::memcmp(v.data(), w.data(), v.bytes()) != 0) return false;
    }
  }
  return true;
}

struct Traffic {
  double widest = 0.0, tensors = 0.0, weights = 0.0;  // bytes: of the widest step, of all of them, of constants
};

Traffic traffic_of(const Graph& graph) {
  Traffic traffic;
  for (const Node& node : graph.nodes()) {
    double step = 0.0;
    for (const auto* ids : {&node.inputs, &node.outputs}) {
      for (const ValueId id : *ids) {
        if (id == kNoValue) continue;
        const TensorType& type = graph.value(id).type;
        const auto bytes = static_cast<double>(tensor_bytes(type.dtype, type.static_shape().value_or(Shape{})));
        if (!graph.value(id).constant) step += bytes;
        if (graph.value(id).constant && node.op != "Gather") traffic.weights += bytes;
      }
    }
    if (const ops::OpRecord* record = ops::find_op(node.op); record != nullptr && record->is_view) continue;
    traffic.widest = std::max(traffic.widest, step);
    traffic.tensors += step;
  }
  return traffic;
}

// Rows of a slice, or all of them.
std::int64_t slice_rows(const Traffic& traffic, std::int64_t rows) {
  if (traffic.widest <= kWide) return rows;
  const auto row = static_cast<double>(rows);
  std::int64_t best = rows;
  for (std::int64_t part = 2; part < rows; ++part) {
    if (rows % part != 0) continue;
    const double share = static_cast<double>(part) / row;
    const bool read_again_cheaply = traffic.weights * kTensorsPerWeight <= traffic.tensors * share;
    if (!read_again_cheaply) continue;
    // The largest that stays near, or the smallest there is.
    if (best == rows || traffic.widest * share <= kNear) best = part;
  }
  return best;
}

}  // namespace

std::optional<BatchSlices> batch_slices(const Graph& graph, const Graph& whole, std::span<const TensorType> inputs) {
  if (inputs.empty() || !inputs[0].is_tensor()) return std::nullopt;
  const auto first = inputs[0].static_shape();
  if (!first || first->rank() == 0 || (*first)[0] < 4) return std::nullopt;
  const std::int64_t rows = (*first)[0], part = slice_rows(traffic_of(whole), rows);
  if (part == rows || !RowWalk(whole, rows).all()) return std::nullopt;
  std::vector<TensorType> types(inputs.begin(), inputs.end());
  for (TensorType& type : types) type.shape->front() = Dim(part);
  try {
    BatchSlices slices{ops::specialize(graph, types), rows / part};
    if (!RowWalk(slices.graph, part).all() || !have_same_constants(whole, slices.graph)) return std::nullopt;
    return slices;
  } catch (const Error&) {
    return std::nullopt;  // a shape in the graph is of the whole batch
  }
}

}  // namespace skerry::planning
