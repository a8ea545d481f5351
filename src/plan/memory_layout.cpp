#include "plan/memory_layout.hpp"

#include <algorithm>
#include <numeric>
#include <skerry/error.hpp>

#include "ops/nn/channels_last.hpp"
#include "plan/arena.hpp"

namespace skerry::planning {
namespace {

using Kind = Placement::Kind;

std::uint64_t value_bytes(const Graph& graph, ValueId id) {
  const Value& value = graph.value(id);
  const auto shape = value.type.static_shape();
  if (!shape) {
    throw Error(ErrorCode::unsupported,
                "the shape of '" + value.name + "' is not known before the run: " + value.type.text(),
                value.producer == kNoNode ? value.name : graph.node(value.producer).name);
  }
  return tensor_bytes(value.type.dtype, *shape);
}

// Values that share bytes form a set, named by its root: the value whose buffer it is.
class Sharing {
 public:
  explicit Sharing(const Graph& graph)
      : graph_(graph), root_(graph.values().size()), last_use_(graph.values().size(), 0) {
    std::iota(root_.begin(), root_.end(), ValueId{0});
    for (NodeId id = 0; id < graph.nodes().size(); ++id) {
      for (const ValueId input : graph.node(id).inputs) {
        if (input != kNoValue) last_use_[input] = id;
      }
    }
    for (const ValueId output : graph.outputs()) last_use_[output] = graph.nodes().size();
    for (NodeId id = 0; id < graph.nodes().size(); ++id) merge_output(id);
  }
  ValueId root(ValueId id) const { return root_[id]; }
  std::size_t last_use(ValueId root) const { return last_use_[root]; }

 private:
  void merge_output(NodeId id) {
    const Node& node = graph_.node(id);
    const ops::OpRecord* record = ops::find_op(node.op);
    if (record == nullptr || node.outputs.empty() || node.outputs[0] == kNoValue) return;
    int source = record->is_view ? 0 : record->in_place_input;
    if (source < 0) source = ops::overwritten_residual(node);
    if (source < 0 || static_cast<std::size_t>(source) >= node.inputs.size()) return;
    const ValueId input = node.inputs[static_cast<std::size_t>(source)];
    if (input == kNoValue) return;
    const ValueId output = node.outputs[0];
    const ValueId owner = root_[input];
    const bool same_size = value_bytes(graph_, input) == value_bytes(graph_, output);
    if (!same_size || (!record->is_view && !may_overwrite(node, owner, id))) return;
    root_[output] = owner;
    last_use_[owner] = std::max(last_use_[owner], last_use_[output]);
  }

  bool may_overwrite(const Node& node, ValueId owner, NodeId id) const {
    if (graph_.value(owner).producer == kNoNode || last_use_[owner] != id) return false;
    // Another input of this very node may be a view of the same bytes (x * x is safe, element by element; x with a view
    // of itself under another shape is not).
    const auto uses = std::count_if(node.inputs.begin(), node.inputs.end(),
                                    [&](ValueId input) { return input != kNoValue && root_[input] == owner; });
    return uses == 1;
  }

  const Graph& graph_;
  std::vector<ValueId> root_;
  std::vector<std::size_t> last_use_;
};

}  // namespace

void check_sizes(const Graph& graph) {
  // No machine holds so much, and no sum of sizes below it overflows.
  constexpr std::uint64_t kMost = std::uint64_t{1} << 60;
  std::uint64_t all = 0;
  for (const Value& value : graph.values()) {
    const auto shape = value.type.static_shape();
    if (value.constant || !value.type.is_tensor() || !shape) continue;
    const std::uint64_t bytes = tensor_bytes(value.type.dtype, *shape);
    if (bytes <= kMost - all) {
      all += bytes;
      continue;
    }
    throw Error(ErrorCode::budget_exceeded, "the values up to '" + value.name + "' take more than 2^60 bytes together",
                value.producer == kNoNode ? value.name : graph.node(value.producer).name,
                "use smaller inputs or a smaller batch");
  }
}

MemoryLayout lay_out_memory(const Graph& graph, int threads) {
  check_sizes(graph);
  const Sharing sharing(graph);
  MemoryLayout layout;
  std::vector<Placement> of_root(graph.values().size());
  for (std::uint32_t i = 0; i < graph.inputs().size(); ++i) of_root[graph.inputs()[i]] = {Kind::input, i};
  for (ValueId id = 0; id < graph.values().size(); ++id) {
    if (graph.value(id).constant) of_root[id] = {Kind::constant, id};
  }
  for (std::uint32_t i = 0; i < graph.outputs().size(); ++i) {
    const ValueId output = graph.outputs()[i];
    layout.output_bytes += value_bytes(graph, output);
    Placement& placement = of_root[sharing.root(output)];
    if (placement.kind == Kind::none) {
      placement = {Kind::output, i};
    } else {
      layout.copies.push_back({output, i});
    }
  }

  std::vector<Lifetime> lifetimes;
  std::vector<ValueId> roots;
  for (ValueId id = 0; id < graph.values().size(); ++id) {
    const Value& value = graph.value(id);
    if (value.producer == kNoNode || sharing.root(id) != id || of_root[id].kind != Kind::none) continue;
    const std::size_t born = value.producer;
    lifetimes.push_back({value_bytes(graph, id), born, std::max(born, sharing.last_use(id))});
    roots.push_back(id);
  }
  const ArenaLayout arena = threads > 1 ? lay_out_apart(lifetimes) : lay_out(lifetimes);
  for (std::size_t i = 0; i < roots.size(); ++i) of_root[roots[i]] = {Kind::arena, arena.offsets[i]};
  layout.arena_bytes = arena.bytes;

  layout.placements.resize(graph.values().size());
  for (ValueId id = 0; id < graph.values().size(); ++id) layout.placements[id] = of_root[sharing.root(id)];
  return layout;
}

}  // namespace skerry::planning
