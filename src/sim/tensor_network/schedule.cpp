#include "sim/tensor_network/schedule.hpp"

#include <algorithm>
#include <map>

namespace skerry::sim {
namespace {

/// Contracted tensors begin on 64 bytes or nearly.
constexpr std::uint64_t kAlign = 4;

/// Room that is taken and given back: the first gap that is wide enough.
class Room {
 public:
  std::uint64_t take(std::uint64_t numbers) {
    const std::uint64_t size = (numbers + kAlign - 1) / kAlign * kAlign;
    std::uint64_t at = 0;
    for (const auto& [offset, end] : taken_) {
      if (offset - at >= size) break;
      at = end;
    }
    taken_.emplace(at, at + size);
    most_ = std::max(most_, at + size);
    return at;
  }
  void give_back(std::uint64_t offset) { taken_.erase(offset); }
  std::uint64_t most() const noexcept { return most_; }

 private:
  std::map<std::uint64_t, std::uint64_t> taken_;  // begin to end
  std::uint64_t most_ = 0;
};

class Scheduler {
 public:
  Scheduler(const Network& network, const Path& path)
      : network_(network), tree_(path.tree), sliced_(path.sliced), varies_(varying(tree_, sliced_)) {
    for (const Tree::Node& node : tree_.nodes) {
      order_.emplace_back(node.indices);
      std::erase_if(order_.back(), [&](Index index) { return is_sliced(index); });
    }
    out_.sliced = static_cast<std::uint32_t>(sliced_.size());
    out_.root = tree_.root();
    out_.places.resize(tree_.nodes.size());
  }

  Schedule run() {
    place_leaves();
    for (const bool varies : {false, true}) {
      for (const NodeId node : post_order())
        if (!tree_.is_leaf(node) && varies_[node] == varies) step(node);
      if (!varies) out_.fixed_steps = out_.steps.size();
    }
    out_.fixed_numbers = fixed_.most();
    out_.varying_numbers = varying_.most();
    return std::move(out_);
  }

 private:
  bool is_sliced(Index index) const { return std::ranges::binary_search(sliced_, index); }
  std::uint64_t numbers(NodeId node) const { return std::uint64_t{1} << order_[node].size(); }

  void place_leaves() {
    for (NodeId leaf = 0; leaf < tree_.leaves; ++leaf) {
      const auto& axes = network_.leaves[leaf];
      const std::uint64_t size = std::uint64_t{1} << axes.size();
      out_.places[leaf] = {TensorPlace::Store::leaves, out_.leaf_numbers, size};
      out_.leaf_numbers += size;
      for (std::uint32_t axis = 0; axis < axes.size(); ++axis) {
        const auto at = std::ranges::lower_bound(sliced_, axes[axis]);
        if (at != sliced_.end() && *at == axes[axis])
          out_.sliced_axes.push_back({leaf, axis, static_cast<std::uint32_t>(at - sliced_.begin())});
      }
      order_[leaf] = axes;  // sliced ones too: they have their bits in the offsets
    }
  }

  /// Children that need more room first: what the other leaves behind does not lie about meanwhile. Source: Sethi,
  /// Ullman, J. ACM 17 (1970) 715.
  std::vector<NodeId> post_order() const {
    std::vector<std::uint64_t> need(tree_.nodes.size());
    std::vector<bool> right_first(tree_.nodes.size());
    for (auto node = static_cast<NodeId>(tree_.leaves); node < tree_.nodes.size(); ++node) {
      const NodeId a = tree_.nodes[node].left, b = tree_.nodes[node].right;
      const auto kept = [&](NodeId child) { return tree_.is_leaf(child) ? 0 : numbers(child); };
      const std::uint64_t a_first = std::max(need[a], kept(a) + need[b]),
                          b_first = std::max(need[b], kept(b) + need[a]);
      right_first[node] = b_first < a_first;
      need[node] = std::max(std::min(a_first, b_first), kept(a) + kept(b) + numbers(node));
    }
    std::vector<NodeId> out;
    std::vector<std::pair<NodeId, bool>> stack = {{tree_.root(), false}};
    while (!stack.empty()) {
      const auto [node, is_done] = stack.back();
      stack.pop_back();
      if (is_done || tree_.is_leaf(node)) {
        out.push_back(node);
        continue;
      }
      NodeId first = tree_.nodes[node].left, second = tree_.nodes[node].right;
      if (right_first[node]) std::swap(first, second);
      stack.insert(stack.end(), {{node, true}, {second, false}, {first, false}});
    }
    return out;
  }

  void step(NodeId node) {
    NodeId a = tree_.nodes[node].left, b = tree_.nodes[node].right;
    const auto has = [&](NodeId which, Index index) {
      return std::ranges::binary_search(tree_.nodes[which].indices, index);
    };
    const auto alone = [&](NodeId which, NodeId other) {
      return std::ranges::count_if(order_[which], [&](Index i) { return !is_sliced(i) && !has(other, i); });
    };
    if (alone(a, b) > alone(b, a)) std::swap(a, b);  // the longer rows are b's: vectors run along them
    ContractionStep made{.a = a, .b = b, .out = node, .axes = {}};
    std::vector<Index> rows, columns, batch, inner;
    for (const Index index : order_[b]) {
      if (is_sliced(index)) continue;
      if (!has(a, index))
        columns.push_back(index);
      else
        (has(node, index) ? batch : inner).push_back(index);
    }
    for (const Index index : order_[a])
      if (!is_sliced(index) && !has(b, index)) rows.push_back(index);
    made.axes.a_batch = places(a, batch);
    made.axes.a_rows = places(a, rows);
    made.axes.a_inner = places(a, inner);
    made.axes.b_batch = places(b, batch);
    made.axes.b_inner = places(b, inner);
    made.axes.b_columns = places(b, columns);
    order_[node] = std::move(columns);
    order_[node].insert(order_[node].end(), rows.begin(), rows.end());
    order_[node].insert(order_[node].end(), batch.begin(), batch.end());
    Room& room = varies_[node] ? varying_ : fixed_;
    out_.places[node] = {varies_[node] ? TensorPlace::Store::varying : TensorPlace::Store::fixed,
                         room.take(numbers(node)), numbers(node)};
    for (const NodeId used : {a, b})  // what is fixed stays while slices need it
      if (!tree_.is_leaf(used) && varies_[used] == varies_[node]) room.give_back(out_.places[used].offset);
    out_.steps.push_back(std::move(made));
  }

  std::vector<std::uint8_t> places(NodeId node, const std::vector<Index>& indices) const {
    std::vector<std::uint8_t> out;
    for (const Index index : indices)
      out.push_back(static_cast<std::uint8_t>(std::ranges::find(order_[node], index) - order_[node].begin()));
    return out;
  }

  const Network& network_;
  const Tree& tree_;
  std::span<const Index> sliced_;
  std::vector<bool> varies_;
  std::vector<std::vector<Index>> order_;  // of the axes of each node
  Room fixed_, varying_;
  Schedule out_;
};

}  // namespace

Schedule make_schedule(const Network& network, const Path& path) {
  return Scheduler(network, path).run();
}

}  // namespace skerry::sim
