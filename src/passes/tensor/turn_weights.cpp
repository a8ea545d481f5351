// A dense layer behind a flattened image takes its weights in the image's order instead of turning the image each time:
//
//     Transpose ─ Flatten ─ Gemm(w)     becomes     Flatten ─ Gemm(w'), where Transpose puts the channels first
//
// and w' has its rows in the order of the image with channels last.
#include <cstring>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/weighing.hpp"
#include "passes/pass.hpp"
#include "passes/tensor/matcher.hpp"

namespace skerry::passes {
namespace {

// Whether a node turns [N, space, C] into [N, C, space], with all but N known.
bool puts_channels_first(const Graph& graph, const Node& node) {
  const auto order = node.integers("perm");
  const auto& shape = graph.value(node.outputs[0]).type.shape;
  if (!shape || order.size() != shape->size() || order.size() < 3 || order[0] != 0) return false;
  for (std::size_t axis = 1; axis < order.size(); ++axis) {
    const std::size_t from = axis == 1 ? order.size() - 1 : axis - 1;
    if (order[axis] != static_cast<std::int64_t>(from) || !(*shape)[axis].is_known()) return false;
  }
  return true;
}

// Features of an image: channels, and places of each.
struct Features {
  std::int64_t channels = 1, places = 1;
};

// f32 weights [features, columns], or [columns, features] where `across`, with the features in the other order.
Tensor turned(const Tensor& weights, const Features& features, bool across) {
  Tensor out(DType::f32, weights.shape());
  const std::byte* const from = weights.view().data();
  std::byte* const to = out.mutable_view().data();
  const auto columns = static_cast<std::size_t>(weights.shape()[across ? 0 : 1]);
  const std::size_t rows = across ? columns : 1, run = (across ? 1 : columns) * sizeof(float);
  const auto channels = static_cast<std::size_t>(features.channels), places = static_cast<std::size_t>(features.places);
  for (std::size_t row = 0; row < rows && !base::is_weighing; ++row) {
    const std::size_t first = row * channels * places;
    for (std::size_t c = 0; c < channels; ++c) {
      for (std::size_t p = 0; p < places; ++p)
        std::memcpy(to + (first + p * channels + c) * run, from + (first + c * places + p) * run, run);
    }
  }
  return out;
}

// The Transpose before the image that a dense layer reads flattened, if its weights can take the turn.
std::optional<Features> turn_before(const Graph& graph, const Matcher& match, const Node& dense) {
  if ((dense.op != "Gemm" && dense.op != "MatMul") || dense.integer("transA", 0) != 0 ||
      dense.find("packed") != nullptr)
    return std::nullopt;
  const Node* const flatten = match.made_by(dense.inputs[0], "Flatten");
  if (flatten == nullptr || flatten->integer("axis", 1) != 1 || !match.single_use(dense.inputs[0])) return std::nullopt;
  const Node* const transpose = match.made_by(flatten->inputs[0], "Transpose");
  if (transpose == nullptr || !match.single_use(flatten->inputs[0]) || !puts_channels_first(graph, *transpose))
    return std::nullopt;
  const auto& weights = graph.value(dense.inputs[1]).constant;
  if (!weights || weights->dtype() != DType::f32 || weights->shape().rank() != 2) return std::nullopt;
  const std::vector<Dim>& image = *graph.value(transpose->outputs[0]).type.shape;
  Features features{.channels = image[1].value};
  for (std::size_t axis = 2; axis < image.size(); ++axis) features.places *= image[axis].value;
  const std::int64_t depth = weights->shape()[dense.integer("transB", 0) != 0 ? 1 : 0];
  return features.channels * features.places == depth ? std::optional(features) : std::nullopt;
}

Graph turn_weights(const Graph& graph) {
  const Matcher match(graph);
  Graph output = graph;
  std::vector<std::uint8_t> dead(graph.nodes().size(), 0);
  for (NodeId id = 0; id < graph.nodes().size(); ++id) {
    const Node& dense = graph.node(id);
    const auto features = turn_before(graph, match, dense);
    if (!features) continue;
    const Value& weights = graph.value(dense.inputs[1]);
    const ValueId own = output.add_constant(weights.name + ".last",
                                            turned(*weights.constant, *features, dense.integer("transB", 0) != 0));
    const NodeId flatten = graph.value(dense.inputs[0]).producer;
    const NodeId transpose = graph.value(graph.node(flatten).inputs[0]).producer;
    output.edit_node(id).inputs[1] = own;
    output.edit_node(flatten).inputs[0] = graph.node(transpose).inputs[0];
    dead[transpose] = 1;
  }
  output.compact(dead);
  return output;
}

}  // namespace

extern const GraphPass turn_weights_pass;
const GraphPass turn_weights_pass = {
    .name = "turn_weights",
    .help = "Puts weights behind a flattened image into the image's order, which then need not be turned.",
    .run = turn_weights,
};

}  // namespace skerry::passes
