// Where levels are put:
//
//     x ─ Q ─ DQ ─ Conv ─ Relu ─ Q ─ DQ ─ MaxPool ─ Q ─ DQ ─ …
//       w ─ DQ ─┘
//
// Everybody who reads a value that has levels reads it behind its DQ, so that an operator between a DQ and a Q can work
// on integers, and what only moves elements has the same levels on both sides.
#include "passes/quant/quantize.hpp"

#include <algorithm>
#include <array>
#include <skerry/error.hpp>
#include <string>
#include <string_view>
#include <utility>

#include "ops/nn/op_record.hpp"
#include "passes/pass.hpp"
#include "passes/quant/weights.hpp"

namespace skerry::passes::quant {
namespace {

constexpr std::array<std::string_view, 7> kMovers = {"Flatten", "Identity",  "MaxPool",  "Reshape",
                                                     "Squeeze", "Transpose", "Unsqueeze"};
constexpr std::array<std::string_view, 4> kJoints = {"Add", "AveragePool", "Concat", "GlobalAveragePool"};

template <class List>
bool has(const List& list, std::string_view op) {
  return std::ranges::find(list, op) != list.end();
}

bool is_constant(const Graph& graph, ValueId id) {
  return id != kNoValue && graph.value(id).constant.has_value();
}
const Tensor& constant(const Graph& graph, ValueId id) {
  return *graph.value(id).constant;
}
ValueId input(const Node& node, std::size_t index) {
  return index < node.inputs.size() ? node.inputs[index] : kNoValue;
}
bool right_stands_turned(const Node& node) {
  return node.op == "Gemm" && node.integer("transB", 0) != 0;
}
// Axis of the weights along which the outputs lie, and the one that is summed over.
std::int64_t output_axis(const Node& node) {
  return node.op == "Conv" || right_stands_turned(node) ? 0 : 1;
}
std::int64_t summed_axis(const Node& node) {
  return 1 - output_axis(node);
}

Graph run_pass(std::string_view name, const Graph& graph) {
  const auto passes = graph_passes();
  return (*std::ranges::find(passes, name, [](const GraphPass* pass) { return pass->name; }))->run(graph);
}

// Integer kernels take a product of plain matrices, and a bias of one number per output.
bool fits_integers(const Graph& graph, const Node& node) {
  if (node.op == "MatMul") return constant(graph, node.inputs[1]).shape().rank() == 2;
  const ValueId bias = input(node, 2);
  const Shape& weights = constant(graph, node.inputs[1]).shape();
  if (weights.rank() < 2) return false;
  const std::int64_t outputs = weights[static_cast<int>(output_axis(node))];
  const bool plain_bias =
      bias == kNoValue || (is_constant(graph, bias) && constant(graph, bias).dtype() == DType::f32 &&
                           constant(graph, bias).shape().elements() == outputs);
  if (node.op == "Conv") return plain_bias;
  return plain_bias && node.real("alpha", 1.0) == 1.0 && node.integer("transA", 0) == 0 &&
         (bias == kNoValue || node.real("beta", 1.0) == 1.0);
}

bool is_layer(const Graph& graph, const Node& node) {
  if (node.op != "Conv" && node.op != "Gemm" && node.op != "MatMul") return false;
  if (!is_constant(graph, input(node, 1)) || is_constant(graph, input(node, 0))) return false;
  const Tensor& w = constant(graph, node.inputs[1]);
  return w.dtype() == DType::f32 && w.shape().elements() > 0 && fits_integers(graph, node);
}

// Which values get levels, found from who reads and makes them.
class Places {
 public:
  explicit Places(const Quantizer& q)
      : graph_(q.graph), uses_(q.graph.use_counts()), users_(q.graph.values().size()), levels_(users_.size(), false) {
    for (NodeId id = 0; id < graph_.nodes().size(); ++id)
      for (const ValueId value : graph_.node(id).inputs)
        if (value != kNoValue) users_[value].push_back(id);
    for (NodeId id = 0; id < graph_.nodes().size(); ++id) {
      if (q.widths[id] != Width::int8) continue;
      levels_[graph_.node(id).inputs[0]] = true;
      give(tail(graph_.node(id).outputs[0]));
    }
    for (const Node& node : graph_.nodes())
      if (has(kJoints, node.op) || has(kMovers, node.op)) follow(node);
    // What moves has levels on both sides.
    for (NodeId id = static_cast<NodeId>(graph_.nodes().size()); id-- > 0;)
      if (const Node& node = graph_.node(id); moves(node) && levels_[node.outputs[0]]) levels_[node.inputs[0]] = true;
  }

  bool at(ValueId id) const { return levels_[id]; }
  bool moves(const Node& node) const {
    return has(kMovers, node.op) && node.outputs.size() == 1 && !is_constant(graph_, node.inputs[0]);
  }
  // The value whose range counts.
  ValueId source(ValueId id) const {
    while (graph_.value(id).producer != kNoNode && moves(graph_.node(graph_.value(id).producer)))
      id = graph_.node(graph_.value(id).producer).inputs[0];
    return id;
  }

 private:
  bool is_output(ValueId id) const { return std::ranges::find(graph_.outputs(), id) != graph_.outputs().end(); }

  // Behind activations that only bound the value, which integer kernels do while they write.
  ValueId tail(ValueId id) const {
    while (uses_[id] == 1 && users_[id].size() == 1) {
      const Node& next = graph_.node(users_[id][0]);
      const bool bounds = next.op == "Relu" || (next.op == "Clip" && next.inputs[0] == id);
      for (std::size_t i = 1; bounds && i < next.inputs.size(); ++i)
        if (next.inputs[i] != kNoValue && !is_constant(graph_, next.inputs[i])) return id;
      if (!bounds) return id;
      id = next.outputs[0];
    }
    return id;
  }

  // A result that the caller sees keeps its precision.
  void give(ValueId id) {
    if (!is_output(id) && uses_[id] > 0) levels_[id] = true;
  }

  void follow(const Node& node) {
    if (node.outputs.size() != 1) return;
    const bool pair = node.op == "Add" || node.op == "Concat";
    for (std::size_t i = 0; i < (pair ? node.inputs.size() : 1); ++i)
      if (is_constant(graph_, node.inputs[i]) || !levels_[node.inputs[i]]) return;
    give(moves(node) ? node.outputs[0] : tail(node.outputs[0]));
  }

  const Graph& graph_;
  std::vector<std::uint32_t> uses_;
  std::vector<std::vector<NodeId>> users_;
  std::vector<bool> levels_;
};

class Rewriter {
 public:
  Rewriter(const Quantizer& q, std::span<const Range> ranges, std::vector<LayerBytes>& bytes)
      : q_(q),
        in_(q.graph),
        places_(q),
        ranges_(ranges),
        bytes_(bytes),
        real_(in_.values().size(), kNoValue),
        read_(in_.values().size(), kNoValue) {}

  Graph run() {
    out_.name = in_.name;
    for (const ValueId id : in_.inputs()) made(id, out_.add_input(in_.value(id).name, in_.value(id).type));
    for (NodeId id = 0; id < in_.nodes().size(); ++id) add(id);
    std::vector<ValueId> outputs;
    for (const ValueId id : in_.outputs()) {
      if (real_[id] == kNoValue) read(id);  // a constant
      outputs.push_back(real_[id]);
    }
    out_.set_outputs(std::move(outputs));
    return std::move(out_);
  }

 private:
  Levels levels(ValueId id) const { return levels_of(ranges_[places_.source(id)]); }
  ValueId scalar(const std::string& name, float value) {
    return out_.add_constant(name,
                             Tensor::from<float>(std::array{value}, Shape(std::initializer_list<std::int64_t>{})));
  }
  ValueId scalar(const std::string& name, std::uint8_t value) {
    return out_.add_constant(
        name, Tensor::from<std::uint8_t>(std::array{value}, Shape(std::initializer_list<std::int64_t>{})));
  }

  void made(ValueId id, ValueId now) {
    real_[id] = read_[id] = now;
    if (!places_.at(id)) return;
    const std::string& name = in_.value(id).name;
    const Levels l = levels(id);
    const ValueId scale = scalar(name + "_scale", l.scale), zero = scalar(name + "_zero", l.zero);
    const TensorType& type = in_.value(id).type;
    const ValueId small = out_.add("QuantizeLinear", {now, scale, zero}, name + "_q", {DType::u8, type.shape});
    read_[id] = out_.add("DequantizeLinear", {small, scale, zero}, name + "_dq", type);
  }

  ValueId read(ValueId id) {
    if (id == kNoValue) return kNoValue;
    if (read_[id] == kNoValue) real_[id] = read_[id] = out_.add_constant(in_.value(id).name, constant(in_, id));
    return read_[id];
  }

  ValueId dequantized(const std::string& name, const SmallWeights& small, const Shape& shape) {
    const ValueId q = out_.add_constant(name + "_q", small.q), scale = out_.add_constant(name + "_scale", small.scale);
    const ValueId real = out_.add("DequantizeLinear", {q, scale}, name + "_dq", TensorType::of(DType::f32, shape));
    Node& node = out_.edit_node(out_.value(real).producer);
    if (small.scale.shape().rank() != 0) node.set("axis", small.axis);
    if (small.block != 0) node.set("block_size", small.block);
    return real;
  }

  // The layer's inputs in the new graph.
  std::vector<ValueId> layer_inputs(const Node& node, Width width) {
    const Tensor& w = constant(in_, node.inputs[1]);
    const std::string& name = in_.value(node.inputs[1]).name;
    const bool four = width == Width::int4_weights && fits_four_bits(w, summed_axis(node));
    const SmallWeights small =
        four ? four_bits(w, summed_axis(node), q_.block) : eight_bits(w, output_axis(node), q_.per_channel);
    bytes_.push_back({small.q.dtype(), w.view().bytes(), small.q.view().bytes() + small.scale.view().bytes()});
    std::vector<ValueId> inputs = {read(node.inputs[0]), dequantized(name, small, w.shape())};
    for (std::size_t i = 2; i < node.inputs.size(); ++i) {
      const bool whole = i == 2 && width == Width::int8 && node.inputs[i] != kNoValue;
      inputs.push_back(whole ? bias(node, levels(node.inputs[0]).scale, small.scale) : read(node.inputs[i]));
    }
    return inputs;
  }

  ValueId bias(const Node& node, float x_scale, const Tensor& w_scale) {
    const Tensor& b = constant(in_, node.inputs[2]);
    const SmallWeights small = whole_bias(b, x_scale, w_scale);
    return dequantized(in_.value(node.inputs[2]).name, small, small.q.shape());
  }

  void add(NodeId id) {
    Node node = in_.node(id);
    const std::vector<ValueId> outputs = node.outputs;
    if (is_layer(in_, node) && q_.widths[id] == Width::real) {
      const std::uint64_t same = constant(in_, node.inputs[1]).view().bytes();
      bytes_.push_back({DType::f32, same, same});
    }
    if (q_.widths[id] != Width::real) {
      node.inputs = layer_inputs(node, q_.widths[id]);
    } else {
      for (ValueId& value : node.inputs) value = read(value);
    }
    std::vector<std::string> names;
    std::vector<TensorType> types;
    for (const ValueId output : outputs) {
      names.push_back(output == kNoValue ? "" : in_.value(output).name);
      types.push_back(output == kNoValue ? TensorType() : in_.value(output).type);
    }
    node.outputs.clear();
    const NodeId now = out_.add_node(std::move(node), names, types);
    for (std::size_t i = 0; i < outputs.size(); ++i)
      if (outputs[i] != kNoValue) made(outputs[i], ValueId(out_.node(now).outputs[i]));
  }

  const Quantizer& q_;
  const Graph& in_;
  Graph out_;
  Places places_;
  std::span<const Range> ranges_;
  std::vector<LayerBytes>& bytes_;
  std::vector<ValueId> real_;  ///< of each value: where it is in the new graph,
  std::vector<ValueId> read_;  ///< and what those who use it read
};

// fold_batch_norms leaves a convolution's factors to the kernels; a file has to have them in the weights.
void scale_weights(Graph& graph) {
  constexpr std::size_t kScale = 4;
  for (NodeId id = 0; id < graph.nodes().size(); ++id) {
    const Node& node = graph.node(id);
    if (node.op != "Conv" || node.inputs.size() <= kScale) continue;
    const Tensor w = ops::aligned_copy(constant(graph, node.inputs[1]));
    const auto factors = constant(graph, node.inputs[kScale]).as<float>(), from = w.as<float>();
    Tensor scaled(DType::f32, w.shape());
    const auto to = scaled.mutable_view().as<float>();
    const std::size_t each = to.size() / std::max<std::size_t>(factors.size(), 1);
    for (std::size_t i = 0; i < to.size(); ++i) to[i] = from[i] * factors[i / each];
    const ValueId id_of = graph.add_constant(graph.value(node.inputs[1]).name, std::move(scaled));
    Node& edited = graph.edit_node(id);
    edited.inputs[1] = id_of;
    edited.inputs.resize(3);
  }
  graph.compact(std::vector<std::uint8_t>(graph.nodes().size(), 0));
}

}  // namespace

Graph prepared(const Graph& graph) {
  Graph out = graph;
  for (const std::string_view pass : {"fold_constants", "fold_batch_norms", "remove_dead_nodes"})
    out = run_pass(pass, out);
  scale_weights(out);
  return out;
}

std::vector<NodeId> layers(const Graph& graph) {
  std::vector<NodeId> out;
  for (NodeId id = 0; id < graph.nodes().size(); ++id)
    if (is_layer(graph, graph.node(id))) out.push_back(id);
  return out;
}

std::string layer_name(const Graph& graph, NodeId id) {
  const Node& node = graph.node(id);
  return node.name.empty() ? graph.value(node.outputs[0]).name : node.name;
}

void check_names(const Graph& graph, std::span<const std::string> names) {
  for (const std::string& name : names) {
    std::string known;
    bool found = false;
    for (const NodeId id : layers(graph)) {
      found = found || layer_name(graph, id) == name;
      known += (known.empty() ? "" : ", ") + layer_name(graph, id);
    }
    if (!found)
      throw Error(ErrorCode::invalid_argument, "no layer is called '" + name + "'", "keep", "the layers are " + known);
  }
}

std::vector<ValueId> Quantizer::to_see() const {
  const Places places(*this);
  std::vector<ValueId> out;
  for (ValueId id = 0; id < graph.values().size(); ++id)
    if (places.at(id) && places.source(id) == id) out.push_back(id);
  return out;
}

Graph Quantizer::quantized(std::span<const Range> ranges, std::vector<LayerBytes>& layers) const {
  layers.clear();
  Graph out = Rewriter(*this, ranges, layers).run();
  ops::infer_types(out);
  return out;
}

}  // namespace skerry::passes::quant
