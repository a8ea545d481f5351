#include <algorithm>
#include <deque>
#include <limits>
#include <set>
#include <skerry/edge.hpp>
#include <skerry/error.hpp>
#include <skerry/runtime.hpp>

#include "edge/min_cut.hpp"
#include "ops/nn/op_record.hpp"

namespace skerry::edge {
namespace {

// A value whose size is known only at run time crosses when nothing else can.
constexpr std::uint64_t kUnknownBytes = std::uint64_t{1} << 40;

std::uint64_t bytes_of(const Value& value) {
  const auto shape = value.type.static_shape();
  return shape ? std::max<std::uint64_t>(tensor_bytes(value.type.dtype, *shape), 1) : kUnknownBytes;
}

/// Which nodes run here: the set closed under "what it needs runs here too" whose values that others need weigh least.
class Chooser {
 public:
  explicit Chooser(const Graph& graph) : graph_(graph), is_kept_away_(graph.nodes().size()) {}

  /// From now on this node runs in the tail.
  void keep_away(NodeId node) { is_kept_away_[node] = true; }

  std::vector<bool> choose() const {
    const std::size_t nodes = graph_.nodes().size(), values = graph_.values().size();
    const std::size_t source = nodes + values, sink = source + 1;
    MinCut flow(sink + 1);
    flow.add(source, 0, MinCut::kEndless);  // the head has the first node at least
    for (NodeId id = 0; id < nodes; ++id) {
      if (is_kept_away_[id]) flow.add(id, sink, MinCut::kEndless);
      for (const ValueId input : graph_.node(id).inputs) {
        if (input == kNoValue || graph_.value(input).constant) continue;
        const NodeId producer = graph_.value(input).producer;
        flow.add(nodes + input, id, MinCut::kEndless);
        if (producer != kNoNode) flow.add(id, producer, MinCut::kEndless);  // no node here without what it needs
      }
    }
    for (ValueId id = 0; id < values; ++id) {
      const Value& value = graph_.value(id);
      if (value.constant) continue;
      flow.add(value.producer == kNoNode ? source : value.producer, nodes + id, bytes_of(value));
    }
    const std::vector<bool> side = flow.nearest_to_sink(source, sink);
    std::vector<bool> here(nodes);
    for (NodeId id = 0; id < nodes; ++id) here[id] = side[id];
    return here;
  }

 private:
  const Graph& graph_;
  std::vector<bool> is_kept_away_;
};

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

bool is_made_here(const Graph& graph, const std::vector<bool>& here, ValueId id) {
  const NodeId producer = graph.value(id).producer;
  return producer != kNoNode && here[producer];
}

GraphCut halves(const Graph& graph, const std::vector<bool>& here) {
  GraphCut out;
  Half head(graph), tail(graph);
  std::set<ValueId> crossing;
  for (NodeId id = 0; id < graph.nodes().size(); ++id) {
    (here[id] ? head : tail).add(graph.node(id));
    for (const ValueId input : graph.node(id).inputs) {
      if (!here[id] && input != kNoValue && !graph.value(input).constant && !is_made_here(graph, here, input)) {
        if (graph.value(input).producer == kNoNode)
          out.crossing_bytes += crossing.insert(input).second ? bytes_of(graph.value(input)) : 0;
        continue;
      }
      if (here[id] || input == kNoValue || !is_made_here(graph, here, input)) continue;
      if (!crossing.insert(input).second) continue;
      out.crossing.push_back(head.name(input));
      out.crossing_bytes += bytes_of(graph.value(input));
      head.give(input);
    }
  }
  for (const ValueId id : graph.outputs()) {
    if (!is_made_here(graph, here, id)) {
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

// Empty when the head fits; else why not.
std::string misfit(GraphCut& cut, const EdgeExecutionConfig& config) {
  Limits limits;
  limits.threads = config.threads;
  cut.head_plan = skerry::plan(cut.head, types_of(cut.head), limits);
  if (static_cast<double>(cut.head_plan.peak_bytes) > config.max_memory_mb * 1e6)
    return "it needs " + std::to_string(cut.head_plan.peak_bytes) + " bytes";
  if (cut.head_plan.seconds > config.max_execution_time)
    return "it would take " + std::to_string(cut.head_plan.seconds) + " s";
  return {};
}

}  // namespace

GraphCut cut_graph(const Graph& graph, std::span<const TensorType> inputs, const EdgeExecutionConfig& config) {
  const Graph concrete = ops::specialize(graph, inputs);
  std::string reason = "it has fewer than two nodes";
  if (concrete.nodes().size() >= 2) {
    Chooser chooser(concrete);
    for (auto last = static_cast<NodeId>(concrete.nodes().size() - 1); last != 0;) {
      chooser.keep_away(last);
      const std::vector<bool> here = chooser.choose();
      GraphCut cut = halves(concrete, here);
      reason = misfit(cut, config);
      if (reason.empty()) return cut;
      while (!here[last]) --last;
    }
    reason = "its first part does not fit: " + reason;
  }
  throw Error(ErrorCode::budget_exceeded, "the model cannot be cut: " + reason, graph.name,
              "raise max_memory_mb or max_execution_time, or run it at an endpoint");
}

}  // namespace skerry::edge
