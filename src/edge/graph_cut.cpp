#include <algorithm>
#include <array>
#include <chrono>
#include <optional>
#include <set>
#include <skerry/edge.hpp>
#include <skerry/error.hpp>
#include <skerry/runtime.hpp>

#include "edge/min_cut.hpp"
#include "ops/nn/op_record.hpp"

namespace skerry::edge {
namespace {

// A value whose size is known only at run time, or that no message can hold, crosses when nothing else can.
constexpr std::uint64_t kUnknownBytes = std::uint64_t{1} << 40;

std::uint64_t bytes_of(const Value& value) {
  constexpr std::array kNotSent = {DType::string, DType::c64, DType::c128};  // messages have no name for them
  const auto shape = value.type.static_shape();
  if (std::ranges::find(kNotSent, value.type.dtype) != kNotSent.end()) return kUnknownBytes;
  return shape ? std::max<std::uint64_t>(tensor_bytes(value.type.dtype, *shape), 1) : kUnknownBytes;
}

/// Which nodes are the head: the set closed under "what it needs is in it too" for which the fewest bytes are moved.
/// border: nodes before it are forced into the head when the tail is here, the others into the tail when the head is.
std::vector<bool> choose_head(const Graph& graph, HalfHere here, NodeId border) {
  const std::size_t nodes = graph.nodes().size(), values = graph.values().size();
  const std::size_t source = nodes + values, sink = source + 1;
  MinCut flow(sink + 1);
  for (NodeId id = 0; id < nodes; ++id) {
    if (id == 0 || (here == HalfHere::tail && id < border)) flow.add(source, id, MinCut::kEndless);
    if (id == nodes - 1 || (here == HalfHere::head && id >= border)) flow.add(id, sink, MinCut::kEndless);
    for (const ValueId input : graph.node(id).inputs) {
      if (input == kNoValue) continue;
      const NodeId producer = graph.value(input).producer;
      // What nobody makes is moved when a node elsewhere reads it; what a node makes, when the head does and the tail
      // reads it.
      const bool reads_far_head = producer == kNoNode && here == HalfHere::tail;
      flow.add(reads_far_head ? id : nodes + input, reads_far_head ? nodes + input : id, MinCut::kEndless);
      if (producer != kNoNode) flow.add(id, producer, MinCut::kEndless);  // no node in the head without what it needs
    }
  }
  for (ValueId id = 0; id < values; ++id) {
    const Value& value = graph.value(id);
    if (value.producer != kNoNode) {
      flow.add(value.producer, nodes + id, bytes_of(value));
    } else if (here == HalfHere::head) {
      flow.add(source, nodes + id, bytes_of(value));
    } else {
      flow.add(nodes + id, sink, bytes_of(value));
    }
  }
  std::vector<bool> head = flow.nearest_to_sink(source, sink);
  head.resize(nodes);
  return head;
}

/// Copies the nodes of one side.
class Half {
 public:
  explicit Half(const Graph& from) : from_(from), map_(from.values().size(), kNoValue) { out_.name = from.name; }

  ValueId use(ValueId id) {
    if (id == kNoValue || map_[id] != kNoValue) return id == kNoValue ? kNoValue : map_[id];
    const Value& value = from_.value(id);
    map_[id] = value.constant ? out_.add_constant(value.name, *value.constant) : out_.add_input(name(id), value.type);
    return map_[id];
  }
  void add(const Node& node) {
    Node copy = node;
    for (ValueId& input : copy.inputs) input = use(input);
    std::vector<std::string> names;
    std::vector<TensorType> types;
    for (const ValueId output : node.outputs) {
      names.push_back(output == kNoValue ? "" : name(output));
      types.push_back(output == kNoValue ? TensorType{} : from_.value(output).type);
    }
    copy.outputs.clear();
    const NodeId id = out_.add_node(std::move(copy), names, types);
    for (std::size_t i = 0; i < node.outputs.size(); ++i) {
      if (node.outputs[i] != kNoValue) map_[node.outputs[i]] = out_.node(id).outputs[i];
    }
  }
  void give(ValueId id) { out_.mark_output(use(id)); }
  std::string name(ValueId id) const {
    const std::string& known = from_.value(id).name;
    return known.empty() ? "value_" + std::to_string(id) : known;
  }
  Graph finish() { return std::move(out_); }

 private:
  const Graph& from_;
  Graph out_;
  std::vector<ValueId> map_;
};

bool is_made_in(const Graph& graph, const std::vector<bool>& half, ValueId id) {
  const NodeId producer = graph.value(id).producer;
  return producer != kNoNode && half[producer];
}

GraphCut halves(const Graph& graph, HalfHere here, const std::vector<bool>& is_head) {
  GraphCut out;
  out.here = here;
  Half head(graph), tail(graph);
  std::set<ValueId> crossing, far;  // far: inputs and weights of the half elsewhere
  for (NodeId id = 0; id < graph.nodes().size(); ++id) {
    (is_head[id] ? head : tail).add(graph.node(id));
    for (const ValueId input : graph.node(id).inputs) {
      if (input == kNoValue) continue;
      const Value& value = graph.value(input);
      if (value.producer == kNoNode) {
        if (is_head[id] != (here == HalfHere::head) && far.insert(input).second)
          (value.constant ? out.weight_bytes : out.crossing_bytes) += bytes_of(value);
        continue;
      }
      if (is_head[id] || !is_head[value.producer] || !crossing.insert(input).second) continue;
      out.crossing.push_back(head.name(input));
      out.crossing_bytes += bytes_of(value);
      head.give(input);
    }
  }
  for (const ValueId id : graph.outputs()) {
    if (!is_made_in(graph, is_head, id)) {
      tail.give(id);
    } else if (!crossing.contains(id)) {
      head.give(id);
    }
    out.outputs.push_back(head.name(id));
  }
  out.head = head.finish();
  out.tail = tail.finish();
  return out;
}

std::vector<TensorType> types_of(const Graph& graph) {
  std::vector<TensorType> types;
  for (const ValueId id : graph.inputs()) types.push_back(graph.value(id).type);
  return types;
}

// Empty when the half here fits; else why not.
std::string misfit(GraphCut& cut, const EdgeExecutionConfig& config) {
  Limits limits;
  limits.threads = config.threads;
  limits.max_memory_bytes = static_cast<std::uint64_t>(config.max_memory_mb * 1e6);
  limits.max_execution_time = std::chrono::duration<double>(config.max_execution_time);
  const Graph& half = cut.here == HalfHere::head ? cut.head : cut.tail;
  try {
    cut.here_plan = skerry::plan(half, types_of(half), limits);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::budget_exceeded && error.code() != ErrorCode::deadline_exceeded) throw;
    return error.message();
  }
  return {};
}

}  // namespace

GraphCut cut_graph(const Graph& graph, std::span<const TensorType> inputs, const EdgeExecutionConfig& config,
                   HalfHere here) {
  const Graph concrete = ops::specialize(graph, inputs);
  const auto nodes = static_cast<NodeId>(concrete.nodes().size());
  std::string reason = "it has fewer than two nodes";
  std::optional<GraphCut> best;
  // Cuts lie one inside the other as the border moves, so what fits does so up to some border. step: how far it was
  // moved from where nothing is forced.
  NodeId fits = nodes, fails = 0;
  for (NodeId step = 1; nodes >= 2 && step < fits; step = fails + (fits - fails) / 2) {
    const NodeId border = here == HalfHere::head ? nodes - step : step;
    GraphCut cut = halves(concrete, here, choose_head(concrete, here, border));
    reason = misfit(cut, config);
    if (reason.empty()) {
      best = std::move(cut);
      fits = step;
    } else {
      reason.insert(0, here == HalfHere::head ? "its first part does not fit: " : "its last part does not fit: ");
      fails = step;
    }
    if (fits - fails <= 1) break;
  }
  if (best) return *std::move(best);
  throw Error(ErrorCode::budget_exceeded, "the model cannot be cut: " + reason, graph.name,
              "raise max_memory_mb or max_execution_time, or run it at an endpoint");
}

}  // namespace skerry::edge
