#include <cmath>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "base/weighing.hpp"
#include "passes/pass.hpp"

namespace skerry::passes {
namespace {

// y = scale * (conv(x) + b - mean) / sqrt(var + eps) + shift is a convolution with weights and bias scaled per channel.
// The weights of a product are scaled here; a convolution's stay in their file until a kernel packs them, and scales
// them then by its input 4.
struct Folded {
  Tensor weights, factor, bias;
};
constexpr std::size_t kScale = 4;

std::span<const float> floats(const Graph& graph, ValueId id) {
  return graph.value(id).constant->as<float>();
}

bool is_float_constant(const Graph& graph, ValueId id) {
  return id != kNoValue && graph.value(id).constant && graph.value(id).constant->dtype() == DType::f32;
}

Folded fold(const Graph& graph, const Node& conv, const Node& norm) {
  const Tensor& weights = *graph.value(conv.inputs[1]).constant;
  // Weights of a product stand column by column unless they are transposed.
  const bool by_column = conv.op == "Gemm" && conv.integer("transB", 0) == 0;
  const auto channels = static_cast<std::size_t>(weights.shape()[by_column ? 1 : 0]);
  const std::size_t per_channel =
      static_cast<std::size_t>(weights.shape().elements()) / std::max<std::size_t>(channels, 1);
  const bool has_bias = conv.inputs.size() > 2 && conv.inputs[2] != kNoValue;
  const auto scale = floats(graph, norm.inputs[1]), shift = floats(graph, norm.inputs[2]);
  const auto mean = floats(graph, norm.inputs[3]), variance = floats(graph, norm.inputs[4]);
  const double epsilon = norm.real("epsilon", 1e-5);
  const bool scales = conv.op == "Gemm";
  const Shape each{static_cast<std::int64_t>(channels)};
  Folded out{scales ? Tensor(DType::f32, weights.shape()) : weights, Tensor(DType::f32, each),
             Tensor(DType::f32, each)};
  const auto from = weights.as<float>();
  const auto factors = out.factor.mutable_view().as<float>(), bias = out.bias.mutable_view().as<float>();
  for (std::size_t c = 0; c < channels; ++c) {
    const double factor = static_cast<double>(scale[c]) / std::sqrt(static_cast<double>(variance[c]) + epsilon);
    factors[c] = static_cast<float>(factor);
    for (std::size_t i = 0; scales && !base::is_weighing && i < per_channel; ++i) {
      const std::size_t at = by_column ? i * channels + c : c * per_channel + i;
      out.weights.mutable_view().as<float>()[at] = static_cast<float>(factor * static_cast<double>(from[at]));
    }
    const double old = has_bias ? static_cast<double>(floats(graph, conv.inputs[2])[c]) : 0.0;
    bias[c] = static_cast<float>(factor * (old - static_cast<double>(mean[c])) + static_cast<double>(shift[c]));
  }
  return out;
}

bool foldable(const Graph& graph, const std::vector<std::uint32_t>& uses, const Node& norm) {
  if (norm.op != "BatchNormalization" || norm.integer("training_mode", 0) != 0 || norm.inputs.size() != 5) return false;
  const ValueId x = norm.inputs[0];
  if (x == kNoValue || graph.value(x).producer == kNoNode || uses[x] != 1) return false;
  const Node& conv = graph.node(graph.value(x).producer);
  const bool is_gemm = conv.op == "Gemm" && conv.real("alpha", 1.0) == 1.0 && conv.real("beta", 1.0) == 1.0;
  if ((conv.op != "Conv" && !is_gemm) || !is_float_constant(graph, conv.inputs[1])) return false;
  if (conv.inputs.size() > 2 && conv.inputs[2] != kNoValue && !is_float_constant(graph, conv.inputs[2])) return false;
  // What is added or bounded already would have to be scaled too.
  if (conv.inputs.size() > 3 || conv.find("least") != nullptr || conv.find("most") != nullptr) return false;
  const int axis = is_gemm && conv.integer("transB", 0) == 0 ? 1 : 0;
  const Shape shape = graph.value(conv.inputs[1]).constant->shape();
  if (axis >= shape.rank()) return false;
  const auto channels = shape[axis];
  // C of a product may be one number for all, or one for each element.
  if (is_gemm && conv.inputs.size() > 2 && conv.inputs[2] != kNoValue &&
      graph.value(conv.inputs[2]).constant->shape().elements() != channels)
    return false;
  for (std::size_t i = 1; i < 5; ++i) {
    if (!is_float_constant(graph, norm.inputs[i]) ||
        graph.value(norm.inputs[i]).constant->shape().elements() != channels)
      return false;
  }
  return true;
}

Graph fold_batch_norms(const Graph& graph) {
  Graph output = graph;
  const auto uses = graph.use_counts();
  std::vector<std::uint8_t> dead(graph.nodes().size(), 0);
  for (NodeId id = 0; id < graph.nodes().size(); ++id) {
    const Node& norm = graph.node(id);
    if (!foldable(graph, uses, norm)) continue;
    const NodeId conv_id = graph.value(norm.inputs[0]).producer;
    Folded folded = fold(graph, graph.node(conv_id), norm);
    const std::string& name = graph.value(norm.outputs[0]).name;
    Node& conv = output.edit_node(conv_id);
    conv.inputs.resize(3, kNoValue);
    if (conv.op == "Gemm") {
      conv.inputs[1] = output.add_constant(name + ".weights", std::move(folded.weights));
    } else {
      conv.inputs.resize(kScale + 1, kNoValue);
      conv.inputs[kScale] = output.add_constant(name + ".scale", std::move(folded.factor));
    }
    conv.inputs[2] = output.add_constant(name + ".bias", std::move(folded.bias));
    // The convolution's result takes the name, so that a graph output keeps it.
    output.value(norm.inputs[0]).name = name;
    output.replace_uses(norm.outputs[0], norm.inputs[0]);
    dead[id] = 1;
  }
  output.compact(dead);
  return output;
}

}  // namespace

extern const GraphPass fold_batch_norms_pass;
const GraphPass fold_batch_norms_pass = {
    .name = "fold_batch_norms",
    .help = "Scales the weights of a convolution or product instead of normalising its output.",
    .run = fold_batch_norms,
};

}  // namespace skerry::passes
