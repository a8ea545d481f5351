#include "train/training_graph.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <skerry/error.hpp>

#include "ops/nn/op_record.hpp"
#include "passes/quant/quantize.hpp"

namespace skerry::train {
namespace {

bool is_f32_constant(const Graph& graph, ValueId id) {
  return id != kNoValue && graph.value(id).constant && graph.value(id).constant->dtype() == DType::f32;
}

int outputs_axis(const Graph& graph, const Node& layer) {
  if (layer.op == "Conv" || (layer.op == "Gemm" && layer.integer("transB", 0) != 0)) return 0;
  return graph.value(layer.inputs[1]).constant->shape().rank() - 1;
}

/// The constant that is added to what a product gives, as exporters write biases.
ValueId added_bias(const Graph& graph, NodeId layer) {
  const ValueId product = graph.node(layer).outputs[0];
  for (const Node& node : graph.nodes())
    if (node.op == "Add" && (node.inputs[0] == product || node.inputs[1] == product)) {
      const ValueId other = node.inputs[node.inputs[0] == product ? 1 : 0];
      return is_f32_constant(graph, other) ? other : kNoValue;
    }
  return kNoValue;
}

class Builder {
 public:
  Builder(const Graph& model, const std::vector<Trainable>& trained, const FineTuneOptions& options, bool rounds)
      : model_(model), trained_(trained), options_(options), rounds_(rounds), to_(model.values().size(), kNoValue) {}

  TrainingGraph build() {
    Graph& graph = result_.graph;
    graph.name = model_.name;
    for (const ValueId id : model_.inputs()) to_[id] = graph.add_input(model_.value(id).name, model_.value(id).type);
    for (ValueId id = 0; id < model_.values().size(); ++id)
      if (const Value& value = model_.value(id); value.constant && find(id) == nullptr)
        to_[id] = graph.add_constant(value.name, *value.constant);
    for (const Trainable& one : trained_) {
      const Value& value = model_.value(one.value);
      to_[one.value] = graph.add_input(value.name, TensorType::of(DType::f32, value.constant->shape()));
      result_.parameters.push_back(value.name);
    }
    for (const Trainable& one : trained_)
      if (one.is_rounded && options_.weight_bits > 0) to_[one.value] = rounded_weight(one);
    for (NodeId id = 0; id < model_.nodes().size(); ++id) node(id);
    finish();
    ops::infer_types(graph);
    return std::move(result_);
  }

 private:
  const Trainable* find(ValueId id) const {
    const auto found = std::ranges::find(trained_, id, &Trainable::value);
    return found == trained_.end() ? nullptr : &*found;
  }

  ValueId number(double value) {
    const auto given = static_cast<float>(value);
    return result_.graph.add_constant(fresh(), Tensor::from<float>(std::span(&given, 1), Shape{}));
  }
  std::string fresh() { return "training:" + std::to_string(names_++); }
  ValueId op(const char* name, std::initializer_list<ValueId> inputs) {
    return result_.graph.add(name, inputs, fresh());
  }

  // A quarter of a level more on each side: the outermost levels themselves are inside, and round to themselves.
  ValueId levels(ValueId x, Levels range) {
    return op("Round", {op("Clip", {x, number(range.lo - 0.25), number(range.hi + 0.25)})});
  }

  ValueId rounded_weight(const Trainable& one) {
    const Value& value = model_.value(one.value);
    std::vector<std::int64_t> dims(static_cast<std::size_t>(value.constant->shape().rank()), 1);
    dims[static_cast<std::size_t>(one.channel_axis)] = value.constant->shape()[one.channel_axis];
    const TensorType type = TensorType::of(DType::f32, Shape(std::span<const std::int64_t>(dims)));
    const ValueId scale = result_.graph.add_input(TrainingGraph::scale_of(value.name), type);
    const ValueId level = levels(op("Div", {to_[one.value], scale}), signed_levels(options_.weight_bits));
    return op("Mul", {level, scale});
  }

  ValueId rounded_activation(ValueId id) {
    const std::string& name = model_.value(id).name;
    if (std::ranges::find(result_.activations, name) == result_.activations.end()) result_.activations.push_back(name);
    if (!rounds_) return to_[id];
    const auto [known, is_new] = rounded_.emplace(id, kNoValue);
    if (!is_new) return known->second;
    const TensorType type = TensorType::of(DType::f32, Shape{});
    const ValueId scale = result_.graph.add_input(TrainingGraph::scale_of(name), type);
    const ValueId zero = result_.graph.add_input(TrainingGraph::zero_of(name), type);
    const ValueId level =
        levels(op("Add", {op("Div", {to_[id], scale}), zero}), unsigned_levels(options_.activation_bits));
    return known->second = op("Mul", {op("Sub", {level, zero}), scale});
  }

  void node(NodeId id) {
    Node copy = model_.node(id);
    if (std::ranges::any_of(copy.attributes,
                            [](const auto& attribute) { return std::holds_alternative<Subgraph>(attribute.second); }))
      throw Error(ErrorCode::unsupported, copy.op + " holds a graph, which is not trained", copy.name);
    for (ValueId& input : copy.inputs)
      if (input != kNoValue) input = to_[input];
    const bool is_layer = std::ranges::any_of(
        trained_, [&](const Trainable& one) { return one.layer == id && !one.is_bias && one.is_rounded; });
    if (options_.activation_bits > 0 && is_layer) copy.inputs[0] = rounded_activation(model_.node(id).inputs[0]);
    std::vector<std::string> names;
    for (const ValueId output : copy.outputs) names.push_back(output == kNoValue ? "" : model_.value(output).name);
    const std::vector<ValueId> outputs = std::move(copy.outputs);
    copy.outputs.clear();
    const NodeId made = result_.graph.add_node(std::move(copy), names);
    for (std::size_t i = 0; i < outputs.size(); ++i)
      if (outputs[i] != kNoValue) to_[outputs[i]] = result_.graph.node(made).outputs[i];
  }

  void finish() {
    Graph& graph = result_.graph;
    if (model_.outputs().empty())
      throw Error(ErrorCode::invalid_argument, "the model has no output", graph.name, "give one of f32");
    ValueId answer = model_.outputs()[0];
    const bool entropy = options_.loss == Loss::cross_entropy;
    // The loss takes the softmax itself.
    if (const NodeId maker = model_.value(answer).producer;
        entropy && maker != kNoNode && model_.node(maker).op == "Softmax")
      answer = model_.node(maker).inputs[0];
    const ValueId targets =
        graph.add_input(TrainingGraph::kTargets, TensorType{DType::f32, model_.value(model_.outputs()[0]).type.shape});
    ValueId loss = kNoValue;
    if (entropy) {
      Node softmax;
      softmax.op = "LogSoftmax";
      softmax.inputs = {to_[answer]};
      softmax.set("axis", std::int64_t{-1});
      const std::string name = fresh();
      const ValueId logs = graph.node(graph.add_node(std::move(softmax), std::span(&name, 1))).outputs[0];
      loss = op("Mul", {targets, logs});  // targets hold -1 / rows at each label
    } else {
      const ValueId error = op("Sub", {to_[answer], targets});
      loss = op("Mul", {error, error});
    }
    Node sum;
    sum.op = entropy ? "ReduceSum" : "ReduceMean";
    sum.inputs = {loss};
    sum.set("keepdims", std::int64_t{0});
    const std::string name = TrainingGraph::kLoss;
    graph.mark_output(graph.node(graph.add_node(std::move(sum), std::span(&name, 1))).outputs[0]);
  }

  const Graph& model_;
  const std::vector<Trainable>& trained_;
  const FineTuneOptions& options_;
  bool rounds_;
  std::vector<ValueId> to_;
  std::map<ValueId, ValueId> rounded_;
  std::size_t names_ = 0;
  TrainingGraph result_;
};

}  // namespace

std::vector<Trainable> trainables(const Graph& model, const FineTuneOptions& options) {
  std::vector<Trainable> found;
  std::set<ValueId> seen;
  for (const NodeId id : passes::quant::layers(model)) {
    const Node& node = model.node(id);
    const bool is_kept = std::ranges::find(options.keep, passes::quant::layer_name(model, id)) != options.keep.end();
    if (seen.insert(node.inputs[1]).second)
      found.push_back({node.inputs[1], id, false, outputs_axis(model, node),
                       (options.weight_bits > 0 || options.activation_bits > 0) && !is_kept});
    ValueId bias = node.inputs.size() > 2 ? node.inputs[2] : added_bias(model, id);
    if (is_f32_constant(model, bias) && seen.insert(bias).second) found.push_back({bias, id, true, 0, false});
  }
  return found;
}

TrainingGraph training_graph(const Graph& model, const std::vector<Trainable>& trained, const FineTuneOptions& options,
                             bool rounds) {
  return Builder(model, trained, options, rounds).build();
}

}  // namespace skerry::train
