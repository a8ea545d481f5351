// Steps of training: scales for what is rounded, a run of the loss with its gradients, an update.
#include <algorithm>
#include <cmath>
#include <map>
#include <skerry/compile.hpp>
#include <skerry/error.hpp>
#include <skerry/fine_tuning.hpp>
#include <utility>

#include "ops/nn/op_record.hpp"
#include "passes/quant/quantize.hpp"
#include "train/adam.hpp"
#include "train/training_graph.hpp"

namespace skerry::train {
namespace {

constexpr std::size_t kSessions = 4;  // batches of other sizes that are kept planned
constexpr double kFollow = 0.1;       // what a batch adds to the range of a value that is rounded

void check_bits(int bits, const char* where) {
  if (bits != 0 && (bits < 2 || bits > 16))
    throw Error(ErrorCode::invalid_argument, std::to_string(bits) + " bits", where, "give 2 to 16, or 0 for none");
}

void check(const FineTuneOptions& options) {
  check_bits(options.weight_bits, "weight_bits");
  check_bits(options.activation_bits, "activation_bits");
  if (!(options.rate > 0) || !std::isfinite(options.rate))
    throw Error(ErrorCode::invalid_argument, "a rate of " + std::to_string(options.rate), "rate",
                "take a positive number");
}

Tensor scalar_of(double value) {
  const auto given = static_cast<float>(value);
  return Tensor::from<float>(std::span(&given, 1), Shape{});
}

/// What each output of the layer is divided by, so that its largest weight is the last level.
Tensor weight_scales(const Tensor& weights, int axis, int bits) {
  const Shape shape = weights.shape();
  std::vector<std::int64_t> dims(static_cast<std::size_t>(shape.rank()), 1);
  dims[static_cast<std::size_t>(axis)] = shape[axis];
  std::size_t inner = 1;
  for (int i = axis + 1; i < shape.rank(); ++i) inner *= static_cast<std::size_t>(shape[i]);
  const auto channels = static_cast<std::size_t>(shape[axis]);
  std::vector<float> largest(channels, 0.0F);
  const auto values = weights.as<float>();
  for (std::size_t i = 0; i < values.size(); ++i) {
    float& most = largest[i / inner % channels];
    most = std::max(most, std::abs(values[i]));
  }
  for (float& most : largest) most = most > 0 ? most / static_cast<float>(signed_levels(bits).hi) : 1.0F;
  return Tensor::from<float>(largest, Shape(std::span<const std::int64_t>(dims)));
}

/// The range of a value, which holds 0.
struct Followed {
  double least = 0, most = 0;
  bool is_known = false;
  void see(double low, double high) {
    low = std::min(low, 0.0);
    high = std::max(high, 0.0);
    least += (is_known ? kFollow : 1.0) * (low - least);
    most += (is_known ? kFollow : 1.0) * (high - most);
    is_known = true;
  }
};

std::vector<TensorType> types_of(const Graph& graph, const NamedTensors& given) {
  std::vector<TensorType> types;
  for (const ValueId id : graph.inputs()) {
    const std::string& name = graph.value(id).name;
    const auto found = std::ranges::find(given, name, &std::pair<std::string, Tensor>::first);
    if (found == given.end())
      throw Error(ErrorCode::invalid_argument, "there is no input '" + name + "'", "training",
                  "give every input of the model");
    types.push_back(TensorType::of(found->second.dtype(), found->second.shape()));
  }
  return types;
}

/// Adds the least and the largest element of each value as outputs.
void mark_ranges(Graph& graph, const std::vector<std::string>& names) {
  std::map<std::string, ValueId> values;
  for (ValueId id = 0; id < graph.values().size(); ++id) values.emplace(graph.value(id).name, id);
  for (const std::string& name : names)
    for (const char* op : {"ReduceMin", "ReduceMax"}) {
      Node node;
      node.op = op;
      node.inputs = {values.at(name)};
      node.set("keepdims", std::int64_t{0});
      const std::string output = std::string(op) + ":" + name;
      graph.mark_output(graph.node(graph.add_node(std::move(node), std::span(&output, 1))).outputs[0]);
    }
  ops::infer_types(graph);
}

}  // namespace

struct FineTuner::State {
  State(const Graph& given, FineTuneOptions chosen)
      : model(passes::quant::prepared(given)), options(std::move(chosen)) {
    check(options);
    passes::quant::check_names(model, options.keep);
    trained = trainables(model, options);
    if (trained.empty())
      throw Error(ErrorCode::unsupported, "the model has no convolution or product to train", model.name);
    for (const Trainable& one : trained) {
      const Tensor dense = ops::aligned_copy(*model.value(one.value).constant);
      const auto elements = dense.as<float>();
      values.push_back(Tensor::from<float>(elements, dense.shape()));
      Adam& adam = adams.emplace_back(Adam{options.rate, 0.9, 0.999, {}, {}});
      adam.start(elements.size());
      std::vector<std::uint8_t>& fixed = zeros.emplace_back();
      if (options.keep_zeros && !one.is_bias)
        for (const float w : elements) fixed.push_back(w == 0.0F ? 1 : 0);
    }
    with_rounding = training_graph(model, trained, options, true);
    ranges.resize(with_rounding.activations.size());
  }

  /// Of batches of one shape.
  struct Plans {
    std::vector<TensorType> types;
    Session with_gradients, losses;
  };

  Tensor targets_for(const NamedTensors& inputs, const Tensor& targets) {
    const Shape answer = answer_shape(inputs);
    const auto refuse = [](const std::string& what, const char* hint, ErrorCode code) {
      throw Error(code, what, "targets", hint);
    };
    if (options.loss == Loss::mean_squared) {
      if (targets.dtype() != DType::f32 || targets.shape() != answer)
        refuse("targets are " + TensorType::of(targets.dtype(), targets.shape()).text() + ", the first output is " +
                   TensorType::of(DType::f32, answer).text(),
               "give what the output should be", ErrorCode::type_mismatch);
      return targets;
    }
    if (answer.rank() != 2)
      refuse("the first output is no matrix of rows and classes", "use the loss mean_squared", ErrorCode::unsupported);
    if (targets.dtype() != DType::i64 || targets.shape() != Shape{answer[0]})
      refuse("labels are " + TensorType::of(targets.dtype(), targets.shape()).text() + " for " +
                 std::to_string(answer[0]) + " rows",
             "give an i64 for each row", ErrorCode::type_mismatch);
    const std::int64_t rows = answer[0], classes = answer[1];
    Tensor shares(DType::f32, answer);
    const auto to = shares.mutable_view().as<float>();
    std::ranges::fill(to, 0.0F);
    const Tensor dense = ops::aligned_copy(targets);
    for (std::int64_t row = 0; row < rows; ++row) {
      const std::int64_t label = dense.as<std::int64_t>()[static_cast<std::size_t>(row)];
      if (label < 0 || label >= classes)
        refuse("label " + std::to_string(label) + " of " + std::to_string(classes), "count classes from 0",
               ErrorCode::invalid_argument);
      to[static_cast<std::size_t>(row * classes + label)] = -1.0F / static_cast<float>(rows);
    }
    return shares;
  }

  /// Of the model's first output for such inputs.
  Shape answer_shape(const NamedTensors& inputs) {
    std::vector<TensorType> types = types_of(model, inputs);
    for (const auto& [known, shape] : answers)
      if (known == types) return shape;
    const Graph concrete = ops::specialize(model, types);
    const Value& answer = concrete.value(concrete.outputs().at(0));
    const auto shape = answer.type.static_shape();
    if (!shape || answer.type.dtype != DType::f32)
      throw Error(ErrorCode::unsupported, "the first output is " + answer.type.text(), model.name,
                  "train models whose first output is f32 of a shape that follows from the inputs");
    if (answers.size() == kSessions) answers.erase(answers.begin());
    answers.emplace_back(std::move(types), *shape);
    return *shape;
  }

  NamedTensors all_inputs(const NamedTensors& inputs, const Tensor& targets) {
    NamedTensors all = inputs;
    all.emplace_back(TrainingGraph::kTargets, targets_for(inputs, targets));
    for (std::size_t i = 0; i < trained.size(); ++i) {
      all.emplace_back(with_rounding.parameters[i], values[i]);
      if (trained[i].is_rounded && !trained[i].is_bias && options.weight_bits > 0)
        all.emplace_back(TrainingGraph::scale_of(with_rounding.parameters[i]),
                         weight_scales(values[i], trained[i].channel_axis, options.weight_bits));
    }
    if (options.activation_bits == 0) return all;
    if (!ranges.empty() && !ranges[0].is_known) see_first(all);
    for (std::size_t i = 0; i < ranges.size(); ++i) {
      const std::string& name = with_rounding.activations[i];
      const double steps = unsigned_levels(options.activation_bits).hi;
      const double scale = ranges[i].most > ranges[i].least ? (ranges[i].most - ranges[i].least) / steps : 1.0;
      all.emplace_back(TrainingGraph::scale_of(name), scalar_of(scale));
      all.emplace_back(TrainingGraph::zero_of(name), scalar_of(std::round(-ranges[i].least / scale)));
    }
    return all;
  }

  /// The ranges of the first batch, before anything is rounded.
  void see_first(const NamedTensors& all) {
    TrainingGraph plain = training_graph(model, trained, options, false);
    plain.graph.set_outputs({});
    mark_ranges(plain.graph, with_rounding.activations);
    NamedTensors some;
    for (const ValueId id : plain.graph.inputs())
      for (const auto& [name, tensor] : all)
        if (name == plain.graph.value(id).name) some.emplace_back(name, tensor);
    Session session(std::make_shared<const Graph>(std::move(plain.graph)));
    follow(session.run(some), 0);
  }

  void follow(const Result& result, std::size_t first) {
    for (std::size_t i = 0; i < ranges.size(); ++i)
      ranges[i].see(static_cast<double>(result.tensors[first + 2 * i].second.as<float>()[0]),
                    static_cast<double>(result.tensors[first + 2 * i + 1].second.as<float>()[0]));
  }

  Plans& plans_for(const NamedTensors& all) {
    const std::vector<TensorType> types = types_of(with_rounding.graph, all);
    const auto known = std::ranges::find(plans, types, &Plans::types);
    if (known != plans.end()) return *known;
    Graph both = differentiate(with_rounding.graph, types, with_rounding.parameters);
    if (options.activation_bits > 0) mark_ranges(both, with_rounding.activations);
    if (plans.size() == kSessions) plans.erase(plans.begin());
    return plans.emplace_back(Plans{types, Session(std::make_shared<const Graph>(std::move(both))),
                                    Session(std::make_shared<const Graph>(with_rounding.graph))});
  }

  double loss(const NamedTensors& inputs, const Tensor& targets) {
    const NamedTensors all = all_inputs(inputs, targets);
    return static_cast<double>(plans_for(all).losses.run(all).tensors[0].second.as<float>()[0]);
  }

  double step(const NamedTensors& inputs, const Tensor& targets) {
    NamedTensors all = all_inputs(inputs, targets);
    Plans& plan = plans_for(all);
    all.emplace_back(std::string("grad:") + TrainingGraph::kLoss, scalar_of(1));
    const Result result = plan.with_gradients.run(all);
    for (std::size_t i = 0; i < trained.size(); ++i)
      for (const float slope : result.tensors[1 + i].second.as<float>())
        if (!std::isfinite(slope))
          throw Error(ErrorCode::semantic_error, "a gradient is no longer finite: training has diverged",
                      with_rounding.parameters[i], "take a smaller rate");
    for (std::size_t i = 0; i < trained.size(); ++i) update(i, result.tensors[1 + i].second.as<float>());
    ++steps;
    if (options.activation_bits > 0) follow(result, 1 + trained.size());
    return static_cast<double>(result.tensors[0].second.as<float>()[0]);
  }

  void update(std::size_t i, std::span<const float> gradient) {
    // Who got the tensor before keeps it as it was.
    Tensor next = Tensor::from<float>(values[i].as<float>(), values[i].shape());
    const auto elements = next.mutable_view().as<float>();
    adams[i].update<float>(steps, gradient, elements);
    for (std::size_t k = 0; k < zeros[i].size(); ++k)
      if (zeros[i][k] != 0) elements[k] = 0.0F;
    values[i] = std::move(next);
  }

  Graph model;  // prepared
  FineTuneOptions options;
  std::vector<Trainable> trained;
  std::vector<Tensor> values;                    // of the trainables, in their order
  std::vector<std::vector<std::uint8_t>> zeros;  // 1 for a weight that stays zero; empty where all may change
  std::vector<Adam> adams;
  TrainingGraph with_rounding;
  std::vector<Followed> ranges;
  std::vector<Plans> plans;
  std::uint64_t steps = 0;
  std::vector<std::pair<std::vector<TensorType>, Shape>> answers;
};

FineTuner::FineTuner(const Graph& model, const FineTuneOptions& options)
    : state_(std::make_unique<State>(model, options)) {}
FineTuner::FineTuner(FineTuner&&) noexcept = default;
FineTuner& FineTuner::operator=(FineTuner&&) noexcept = default;
FineTuner::~FineTuner() = default;

double FineTuner::loss(const NamedTensors& inputs, const Tensor& targets) {
  return state_->loss(inputs, targets);
}

double FineTuner::step(const NamedTensors& inputs, const Tensor& targets) {
  return state_->step(inputs, targets);
}

Graph FineTuner::model() const {
  Graph graph = state_->model;
  for (std::size_t i = 0; i < state_->trained.size(); ++i)
    graph.value(state_->trained[i].value).constant = state_->values[i];
  return graph;
}

std::vector<TrainedParameter> FineTuner::parameters() const {
  std::vector<TrainedParameter> found;
  for (std::size_t i = 0; i < state_->trained.size(); ++i) {
    const Trainable& one = state_->trained[i];
    const auto fixed = static_cast<std::uint64_t>(std::ranges::count(state_->zeros[i], std::uint8_t{1}));
    found.push_back({state_->model.value(one.value).name, passes::quant::layer_name(state_->model, one.layer),
                     state_->model.node(one.layer).op, one.is_bias, state_->values[i],
                     static_cast<std::uint64_t>(state_->values[i].shape().elements()) - fixed});
  }
  return found;
}

}  // namespace skerry::train
