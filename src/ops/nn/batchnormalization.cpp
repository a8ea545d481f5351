#include <skerry/error.hpp>

#include "base/threads.hpp"
#include "kernels/tensor/normalize.hpp"
#include "ops/nn/kernel_rows.hpp"
#include "ops/nn/typing.hpp"

namespace skerry::ops {
namespace {

enum : std::size_t { kMean = 1, kVariance = 2, kSavedMean = 3, kSavedVariance = 4 };  // outputs of training

bool trains(const Node& node) {
  return node.integer("training_mode", 0) != 0;
}

void infer(TypeContext& context) {
  const Node& node = context.node;
  for (std::size_t i = 0; i < 5; ++i) require(context, i, kernels::Reals{});
  const TensorType& x = input(context, 0);
  if (x.shape && x.shape->size() < 2) refuse(node, "input 0 is " + x.text() + " but needs a batch and a channel axis");
  for (std::size_t i = 1; i < 5; ++i) {
    if (!require_rank(context, i, 1, 1) || !x.shape) continue;
    const Dim &channels = (*x.shape)[1], &found = (*input(context, i).shape)[0];
    if (channels.is_known() && found.is_known() && channels.value != found.value) {
      refuse(node, "input " + std::to_string(i) + " has " + std::to_string(found.value) + " elements for " +
                       std::to_string(channels.value) + " channels");
    }
  }
  same_as_input(context);
  for (std::size_t i = 1; i < context.outputs.size(); ++i) {
    if (node.outputs[i] == kNoValue) continue;
    if (!trains(node))
      refuse(node, "outputs after the first exist in training only", "set training_mode, or leave them out");
    const TensorType& like = input(context, i % 2 == 1 ? 3 : 4);
    set_output(context, i, like.dtype, like.shape);
  }
}

// Opsets before 14 say training by the number of outputs, of which the last two are the batch's own mean and variance.
void upgrade(UpgradeContext& context) {
  Node& node = context.node;
  if (node.integer("spatial", 1) == 0) refuse(node, "spatial is 0: one mean per element is not supported");
  const auto wanted = [&](std::size_t i) { return i < node.outputs.size() && node.outputs[i] != kNoValue; };
  constexpr int kTrainingSaid = 14;
  if (context.from_opset < kTrainingSaid &&
      (wanted(kMean) || wanted(kVariance) || wanted(kSavedMean) || wanted(kSavedVariance)))
    node.set("training_mode", std::int64_t{1});
  for (const char* gone : {"is_test", "spatial", "consumed_inputs"}) node.erase(gone);
}

// Mean and (biased) variance of each channel of x, in two passes.
void measure(const TensorView& x, std::span<double> means, std::span<double> variances) {
  const Shape shape = x.shape();
  const auto channels = static_cast<std::size_t>(shape[1]), batch = static_cast<std::size_t>(shape[0]);
  const std::size_t plane = batch * channels == 0 ? 0 : static_cast<std::size_t>(x.elements()) / (batch * channels);
  const auto count = static_cast<double>(batch * plane);
  kernels::visit(kernels::Reals{}, x.dtype(), [&]<class T>() {
    const auto elements = x.as<T>();
    base::parallel_for(0, channels, 1, [&](std::size_t begin, std::size_t end) {
      for (std::size_t c = begin; c < end; ++c) {
        const auto sum = [&](auto term) {
          double total = 0.0;
          for (std::size_t n = 0; n < batch; ++n)
            for (const T element : elements.subspan((n * channels + c) * plane, plane))
              total += term(kernels::convert<double>(element));
          return total;
        };
        const double mean = sum([](double element) { return element; }) / count;
        means[c] = mean;
        variances[c] = sum([mean](double element) { return (element - mean) * (element - mean); }) / count;
      }
    });
  });
}

// given * momentum + measured * (1 - momentum)
void blend(const TensorView& given, std::span<const double> measured, double momentum, const MutableTensorView& out) {
  if (out.empty()) return;
  kernels::visit(kernels::Reals{}, out.dtype(), [&]<class T>() {
    const auto from = given.as<T>();
    for (std::size_t c = 0; c < measured.size(); ++c)
      out.as<T>()[c] =
          kernels::convert<T>(kernels::convert<double>(from[c]) * momentum + measured[c] * (1.0 - momentum));
  });
}

// x may be y's memory: it is measured before y is written.
void train(const KernelArguments& a, double epsilon, double momentum) {
  const auto channels = static_cast<std::size_t>(a.inputs[0].shape()[1]);
  const std::span both(reinterpret_cast<double*>(a.scratch.data()), 2 * channels);
  const auto means = both.first(channels), variances = both.last(channels);
  measure(a.inputs[0], means, variances);
  const Shape each{static_cast<std::int64_t>(channels)};
  const auto as_view = [&](std::span<double> numbers) {
    return TensorView(DType::f64, each, reinterpret_cast<const std::byte*>(numbers.data()));
  };
  if (!a.outputs[0].empty())
    kernels::batch_normalization(a.inputs[0], a.inputs[1], a.inputs[2], as_view(means), as_view(variances), epsilon,
                                 a.outputs[0]);
  const auto out = [&](std::size_t i) { return i < a.outputs.size() ? a.outputs[i] : MutableTensorView(); };
  blend(a.inputs[3], means, momentum, out(kMean));
  blend(a.inputs[4], variances, momentum, out(kVariance));
  blend(a.inputs[3], means, 0.0, out(kSavedMean));
  blend(a.inputs[4], variances, 0.0, out(kSavedVariance));
}

Cost can_infer(const Node& node, const NodeTypes& types) {
  if (trains(node)) return Unexpected("the node trains");
  return can_stream<kernels::Reals>(node, types);
}

Cost can_train(const Node& node, const NodeTypes& types) {
  if (!trains(node)) return Unexpected("the node does not train");
  constexpr double kSteps = 6.0;
  return element_steps(types, kSteps);
}

Prepared prepare_training(const Node& node, const NodeTypes& types) {
  const auto channels = static_cast<std::uint64_t>((*types.inputs[0].static_shape())[1]);
  return {.run = [epsilon = node.real("epsilon", 1e-5),
                  momentum = node.real("momentum", 0.9)](const KernelArguments& a) { train(a, epsilon, momentum); },
          .scratch_bytes = 2 * channels * sizeof(double)};
}

constexpr KernelRow kKernels[] = {
    {"batch_normalization", can_infer,
     [](const Node& node, const NodeTypes&) {
       return Prepared{[epsilon = node.real("epsilon", 1e-5)](const KernelArguments& a) {
         kernels::batch_normalization(a.inputs[0], a.inputs[1], a.inputs[2], a.inputs[3], a.inputs[4], epsilon,
                                      a.outputs[0]);
       }};
     }},
    {"batch_normalization_training", can_train, prepare_training},
};

}  // namespace

extern const OpRecord batchnormalization_record;
const OpRecord batchnormalization_record = {
    .name = "BatchNormalization",
    .since_opset = 15,
    .help =
        "scale * (x - mean) / sqrt(variance + epsilon) + bias per channel (axis 1). x: reals of two axes or more; "
        "scale, bias, mean, variance: reals, one element per channel. With training_mode 1 mean and variance are the "
        "batch's own, and outputs 1 and 2 what was given, moved towards them: given * momentum (default 0.9) + own * "
        "(1 - momentum).",
    .infer = infer,
    .upgrade = upgrade,
    .kernels = kKernels,
    .in_place_input = 0,
};

}  // namespace skerry::ops
