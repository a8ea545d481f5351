#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>
#include <optional>
#include <set>
#include <skerry/error.hpp>
#include <skerry/pruning.hpp>
#include <span>
#include <string>
#include <utility>

#include "ops/nn/op_record.hpp"
#include "passes/quant/channels.hpp"
#include "passes/quant/quantize.hpp"

namespace skerry {
namespace {

using passes::quant::ChannelGroup;
using passes::quant::ChannelPlace;
using passes::quant::layer_name;

std::uint64_t constant_bytes(const Graph& graph) {
  std::uint64_t bytes = 0;
  for (const Value& value : graph.values()) bytes += value.constant ? value.constant->view().bytes() : 0;
  return bytes;
}

void check(const PruneOptions& options) {
  if (!(options.ratio >= 0.0 && options.ratio < 1.0))
    throw Error(ErrorCode::invalid_argument, "a ratio of " + std::to_string(options.ratio) + " cannot be pruned",
                "ratio", "give a share from 0 to below 1");
  if (options.importance_threshold && !options.structured)
    throw Error(ErrorCode::invalid_argument, "single weights are pruned by their share, not by importance",
                "importance_threshold", "prune structured, or give a ratio alone");
  if (options.importance_threshold && !(*options.importance_threshold >= 0.0))
    throw Error(ErrorCode::invalid_argument, "an importance of " + std::to_string(*options.importance_threshold),
                "importance_threshold", "give 0 or more; the mean is 1");
  if (options.multiple < 1)
    throw Error(ErrorCode::invalid_argument, "channels in multiples of " + std::to_string(options.multiple), "multiple",
                "give 1 or more");
}

bool is_kept(const Graph& graph, NodeId id, const PruneOptions& options) {
  return std::ranges::find(options.keep, layer_name(graph, id)) != options.keep.end();
}

// The magnitude below which `share` of the weights lie.
float threshold(std::vector<float> magnitudes, double share) {
  const auto rank = static_cast<std::size_t>(share * static_cast<double>(magnitudes.size()));
  if (rank == 0) return 0.0F;
  std::ranges::nth_element(magnitudes, magnitudes.begin() + static_cast<std::ptrdiff_t>(rank));
  return magnitudes[rank];
}

std::vector<float> magnitudes_of(const Tensor& weights) {
  const Tensor dense = ops::aligned_copy(weights);
  std::vector<float> out;
  for (const float w : dense.as<float>()) out.push_back(std::abs(w));
  return out;
}

Pruned single_weights(Graph graph, const PruneOptions& options) {
  Pruned out{.graph = {}, .layers = {}, .weight_bytes = 0, .weight_bytes_before = constant_bytes(graph)};
  std::vector<NodeId> chosen;
  std::vector<float> all;
  std::set<ValueId> seen;
  for (const NodeId id : passes::quant::layers(graph)) {
    if (is_kept(graph, id, options) || !seen.insert(graph.node(id).inputs[1]).second) continue;
    chosen.push_back(id);
    if (!options.global) continue;
    const auto more = magnitudes_of(*graph.value(graph.node(id).inputs[1]).constant);
    all.insert(all.end(), more.begin(), more.end());
  }
  const float least = options.global ? threshold(std::move(all), options.ratio) : 0.0F;
  for (const NodeId id : chosen) {
    std::optional<Tensor>& weights = graph.value(graph.node(id).inputs[1]).constant;
    const float own = options.global ? least : threshold(magnitudes_of(*weights), options.ratio);
    Tensor thinned = Tensor::from<float>(ops::aligned_copy(*weights).as<float>(), weights->shape());
    PrunedLayer layer{layer_name(graph, id), graph.node(id).op, 0,
                      static_cast<std::uint64_t>(thinned.shape().elements())};
    for (float& w : thinned.mutable_view().as<float>()) {
      if (std::abs(w) < own) w = 0.0F;
      layer.left += w != 0.0F ? 1 : 0;
    }
    weights = std::move(thinned);
    out.layers.push_back(std::move(layer));
  }
  if (out.layers.empty()) throw Error(ErrorCode::unsupported, "the model has no layer to prune", graph.name);
  out.weight_bytes = constant_bytes(graph);
  out.graph = std::move(graph);
  return out;
}

// Squared magnitude of the weights of each channel, each maker in units of its own mean, so that a small layer counts
// as much as a large one; their mean is 1.
std::vector<double> importance(const Graph& graph, const ChannelGroup& group) {
  std::vector<double> out(static_cast<std::size_t>(group.channels), 0.0);
  for (const NodeId maker : group.makers) {
    const Node& node = graph.node(maker);
    const Tensor dense = ops::aligned_copy(*graph.value(node.inputs[1]).constant);
    // The outputs of a product that does not stand turned are its columns.
    const bool columns = node.op == "MatMul" || (node.op == "Gemm" && node.integer("transB", 0) == 0);
    const std::size_t inner = columns ? 1 : static_cast<std::size_t>(dense.shape().elements() / dense.shape()[0]);
    std::vector<double> own(out.size(), 0.0);
    double total = 0.0;
    const auto values = dense.as<float>();
    for (std::size_t i = 0; i < values.size(); ++i) {
      const double square = static_cast<double>(values[i]) * static_cast<double>(values[i]);
      own[i / inner % out.size()] += square;
      total += square;
    }
    for (std::size_t c = 0; c < out.size() && total > 0.0; ++c) out[c] += own[c] / total;
  }
  const double sum = std::accumulate(out.begin(), out.end(), 0.0);
  for (double& one : out) one *= sum > 0 ? static_cast<double>(out.size()) / sum : 0.0;
  return out;
}

// The channels that stay, in order.
std::vector<std::int64_t> survivors(const Graph& graph, const ChannelGroup& group, const PruneOptions& options) {
  const std::vector<double> weight = importance(graph, group);
  double share = (1.0 - options.ratio) * static_cast<double>(group.channels);
  if (options.importance_threshold)
    share = static_cast<double>(
        std::ranges::count_if(weight, [&](double one) { return one >= *options.importance_threshold; }));
  std::int64_t left = std::max<std::int64_t>(1, static_cast<std::int64_t>(std::ceil(share - 1e-9)));
  left = std::min(group.channels, (left + options.multiple - 1) / options.multiple * options.multiple);
  std::vector<std::int64_t> order(weight.size());
  std::iota(order.begin(), order.end(), std::int64_t{0});
  std::ranges::stable_sort(order, [&](std::int64_t a, std::int64_t b) {
    return weight[static_cast<std::size_t>(a)] > weight[static_cast<std::size_t>(b)];
  });
  order.resize(static_cast<std::size_t>(left));
  std::ranges::sort(order);
  return order;
}

// The tensor with these of the `of` channels that stand at the place, and all that stands beside them.
Tensor taken(const Tensor& tensor, const ChannelPlace& place, std::int64_t of, std::span<const std::int64_t> channels) {
  const Shape shape = tensor.shape();
  const auto axis = static_cast<int>(place.axis);
  const auto left = static_cast<std::int64_t>(channels.size());
  std::vector<std::int64_t> dims(shape.dims().begin(), shape.dims().end());
  dims[static_cast<std::size_t>(axis)] -= (of - left) * place.repeat;
  Tensor out(tensor.dtype(), Shape(std::span<const std::int64_t>(dims)));
  std::size_t one = static_cast<std::size_t>(dtype_bits(tensor.dtype()) / 8), outer = 1;
  for (int i = 0; i < shape.rank(); ++i) {
    if (i != axis) (i < axis ? outer : one) *= static_cast<std::size_t>(shape[i]);
  }
  const std::byte* from = tensor.view().data();
  std::byte* to = out.mutable_view().data();
  const auto copy = [&](std::int64_t first, std::int64_t count) {
    const std::size_t bytes = static_cast<std::size_t>(count) * one;
    std::memcpy(to, from + static_cast<std::size_t>(first) * one, bytes);
    to += bytes;
  };
  const std::int64_t end = place.begin + of * place.repeat;
  for (std::size_t o = 0; o < outer; ++o, from += static_cast<std::size_t>(shape[axis]) * one) {
    copy(0, place.begin);
    for (const std::int64_t channel : channels) copy(place.begin + channel * place.repeat, place.repeat);
    copy(end, shape[axis] - end);
  }
  return out;
}

// Without a number that counts channels: they are what is left.
Tensor with_open_extent(const Tensor& dims) {
  const auto from = ops::aligned_copy(dims);
  const auto given = from.as<std::int64_t>();
  return Tensor::from<std::int64_t>(std::vector<std::int64_t>{given[0] == -1 ? 0 : given[0], -1}, {2});
}

Pruned whole_channels(Graph graph, const PruneOptions& options) {
  Pruned out{.graph = {}, .layers = {}, .weight_bytes = 0, .weight_bytes_before = constant_bytes(graph)};
  std::vector<ChannelGroup> groups = passes::quant::channel_groups(graph);
  for (const ChannelGroup& group : groups) {
    if (std::ranges::any_of(group.makers, [&](NodeId id) { return is_kept(graph, id, options); })) continue;
    const auto channels = survivors(graph, group, options);
    for (const ChannelPlace& place : group.places) {
      std::optional<Tensor>& constant = graph.value(place.value).constant;
      // What stands for all channels alike has nothing to lose.
      if (constant->shape()[static_cast<int>(place.axis)] < place.begin + group.channels * place.repeat) continue;
      constant = taken(*constant, place, group.channels, channels);
      graph.value(place.value).type = TensorType::of(constant->dtype(), constant->shape());
      const std::int64_t gone = (group.channels - static_cast<std::int64_t>(channels.size())) * place.repeat;
      for (ChannelGroup& other : groups)
        for (ChannelPlace& behind : other.places)
          if (behind.value == place.value && behind.axis == place.axis && behind.begin > place.begin)
            behind.begin -= gone;
    }
    for (const NodeId id : group.depthwise)
      graph.edit_node(id).set("group", static_cast<std::int64_t>(channels.size()));
    for (const NodeId id : group.reshapes) {
      const Tensor& dims = *graph.value(graph.node(id).inputs[1]).constant;
      const ValueId open = graph.add_constant(graph.value(graph.node(id).inputs[1]).name, with_open_extent(dims));
      graph.edit_node(id).inputs[1] = open;
    }
    for (const NodeId id : group.makers)
      out.layers.push_back(
          {layer_name(graph, id), graph.node(id).op, channels.size(), static_cast<std::uint64_t>(group.channels)});
  }
  if (out.layers.empty())
    throw Error(ErrorCode::unsupported, "no channels of the model can be removed", graph.name,
                "prune single weights: structured false");
  graph.compact(std::vector<std::uint8_t>(graph.nodes().size(), 0));
  for (ValueId id = 0; id < graph.values().size(); ++id)
    if (graph.value(id).producer != kNoNode) graph.value(id).type.shape.reset();
  ops::infer_types(graph);
  out.weight_bytes = constant_bytes(graph);
  out.graph = std::move(graph);
  return out;
}

}  // namespace

Pruned prune(const Graph& model, const PruneOptions& options) {
  check(options);
  Graph graph = passes::quant::prepared(model);
  passes::quant::check_names(graph, options.keep);
  return options.structured ? whole_channels(std::move(graph), options) : single_weights(std::move(graph), options);
}

std::vector<ChannelDependency> channel_dependencies(const Graph& model) {
  const Graph graph = passes::quant::prepared(model);
  std::vector<ChannelDependency> found;
  for (const ChannelGroup& group : passes::quant::channel_groups(graph)) {
    ChannelDependency& one = found.emplace_back();
    one.channels = group.channels;
    for (const NodeId id : group.makers) one.layers.push_back(layer_name(graph, id));
    for (const NodeId id : group.depthwise) one.depthwise.push_back(layer_name(graph, id));
    for (const NodeId id : passes::quant::layers(graph)) {
      const auto holds = [&](const ChannelPlace& place) { return place.value == graph.node(id).inputs[1]; };
      if (std::ranges::any_of(group.places, holds) && std::ranges::find(group.makers, id) == group.makers.end() &&
          std::ranges::find(group.depthwise, id) == group.depthwise.end())
        one.users.push_back(layer_name(graph, id));
    }
    one.importance = importance(graph, group);
  }
  return found;
}

}  // namespace skerry
