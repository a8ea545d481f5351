#include "sim/tensor_network/search.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <numeric>

#include "base/random.hpp"
#include "sim/tensor_network/greedy.hpp"

namespace skerry::sim {
namespace {

constexpr std::size_t kSubtree = 8;      // leaves of a subtree that is put into its best order: 3^8 splits
constexpr std::size_t kWords = 4;        // of a set of the indices around such a subtree
constexpr int kMostPasses = 8;           // over all subtrees; few improve after the third
constexpr std::size_t kMostSliced = 40;  // 10^12 slices are more than anybody waits for
constexpr double kGreedySteps = 5e3;     // multiply-adds that one leaf takes in a greedy search
constexpr double kShareOfSearch = 0.1;   // of the predicted work that may be spent to make it less

Merges merges_of(const Tree& tree) {
  // Children first, whatever numbers the nodes have now.
  Merges out;
  std::vector<NodeId> name(tree.nodes.size());
  std::iota(name.begin(), name.end(), 0U);
  std::vector<std::pair<NodeId, bool>> stack = {{tree.root(), false}};
  while (!stack.empty()) {
    const auto [node, is_done] = stack.back();
    stack.pop_back();
    if (tree.is_leaf(node)) continue;
    const Tree::Node& here = tree.nodes[node];
    if (!is_done) {
      stack.insert(stack.end(), {{node, true}, {here.right, false}, {here.left, false}});
      continue;
    }
    out.emplace_back(name[here.left], name[here.right]);
    name[node] = static_cast<NodeId>(tree.leaves + out.size() - 1);
  }
  return out;
}

/// Puts small subtrees into their best order.
class Refiner {
 public:
  explicit Refiner(Tree& tree) : tree_(tree) {
    for (std::size_t i = 0; i < power_.size(); ++i) power_[i] = std::ldexp(1.0, static_cast<int>(i));
  }

  void run() {
    for (int pass = 0; pass < kMostPasses; ++pass) {
      bool is_better = false;
      for (NodeId node = tree_.root(); node >= tree_.leaves && node != kNoNode; --node) is_better |= improve(node);
      if (!is_better) return;
    }
  }

 private:
  using Set = std::array<std::uint64_t, kWords>;
  static Set unite(const Set& a, const Set& b) {
    Set out;
    for (std::size_t w = 0; w < kWords; ++w) out[w] = a[w] | b[w];
    return out;
  }
  double size(const Set& set) const {
    int count = 0;
    for (const std::uint64_t word : set) count += std::popcount(word);
    return power_[static_cast<std::size_t>(count)];
  }
  double step(const Set& a, const Set& b, const Set& out) const {
    return size(unite(a, b)) + TreeCost::kMove * size(out);
  }

  bool improve(NodeId root) {
    grow(root);
    const std::size_t count = frontier_.size();
    if (count < 3 || !number_indices()) return false;
    const std::size_t all = (std::size_t{1} << count) - 1;
    kept_.assign(all + 1, {});
    std::vector<Set> united(all + 1);
    for (std::size_t i = 0; i < count; ++i) united[std::size_t{1} << i] = set_of(frontier_[i]);
    for (std::size_t s = 1; s <= all; ++s)
      if (!std::has_single_bit(s)) united[s] = unite(united[s & (s - 1)], united[s & (0 - s)]);
    const Set outside = set_of(root);
    for (std::size_t s = 1; s <= all; ++s) {
      const Set others = unite(united[all ^ s], outside);
      for (std::size_t w = 0; w < kWords; ++w) kept_[s][w] = united[s][w] & others[w];
    }
    best_.assign(all + 1, 0.0);
    split_.assign(all + 1, 0);
    for (std::size_t s = 1; s <= all; ++s) {
      if (std::has_single_bit(s)) continue;
      const std::size_t lowest = s & (0 - s), rest = s ^ lowest;
      best_[s] = INFINITY;
      for (std::size_t part = (rest - 1) & rest;; part = (part - 1) & rest) {
        const std::size_t a = part | lowest, b = s ^ a;
        const double cost = best_[a] + best_[b] + step(kept_[a], kept_[b], kept_[s]);
        if (cost < best_[s]) {
          best_[s] = cost;
          split_[s] = a;
        }
        if (part == 0) break;
      }
    }
    constexpr double kBetter = 1 - 1e-9;
    if (!(best_[all] < kBetter * present_)) return false;
    inner_.erase(inner_.begin());  // the root keeps its place
    place(root, all);
    return true;
  }

  /// The largest nodes below the root are opened until the subtree is full.
  void grow(NodeId root) {
    frontier_ = {tree_.nodes[root].left, tree_.nodes[root].right};
    inner_ = {root};
    while (frontier_.size() < kSubtree) {
      auto widest = frontier_.end();
      for (auto it = frontier_.begin(); it != frontier_.end(); ++it) {
        if (tree_.is_leaf(*it)) continue;
        if (widest == frontier_.end() || tree_.nodes[*it].indices.size() > tree_.nodes[*widest].indices.size())
          widest = it;
      }
      if (widest == frontier_.end()) return;
      const NodeId opened = *widest;
      inner_.push_back(opened);
      *widest = tree_.nodes[opened].left;
      frontier_.push_back(tree_.nodes[opened].right);
    }
  }

  bool number_indices() {
    names_.clear();
    for (const NodeId node : frontier_)
      names_.insert(names_.end(), tree_.nodes[node].indices.begin(), tree_.nodes[node].indices.end());
    std::ranges::sort(names_);
    names_.erase(std::unique(names_.begin(), names_.end()), names_.end());
    if (names_.size() > 64 * kWords) return false;
    present_ = 0;
    for (const NodeId node : inner_) {
      const Tree::Node& here = tree_.nodes[node];
      present_ += step(set_of(here.left), set_of(here.right), set_of(node));
    }
    return true;
  }
  Set set_of(NodeId node) const {
    Set out{};
    for (const Index index : tree_.nodes[node].indices) {
      const auto at = static_cast<std::size_t>(std::ranges::lower_bound(names_, index) - names_.begin());
      out[at / 64] |= std::uint64_t{1} << (at % 64);
    }
    return out;
  }
  std::vector<Index> indices_of(const Set& set) const {
    std::vector<Index> out;
    for (std::size_t at = 0; at < names_.size(); ++at)
      if ((set[at / 64] >> (at % 64) & 1) != 0) out.push_back(names_[at]);
    return out;
  }

  /// Lays the best order of `s` below a node; recursion as deep as a subtree has leaves.
  void place(NodeId node, std::size_t s) {
    const auto child = [&](std::size_t part) {
      if (std::has_single_bit(part)) return frontier_[static_cast<std::size_t>(std::countr_zero(part))];
      const NodeId at = inner_.back();
      inner_.pop_back();
      tree_.nodes[at].indices = indices_of(kept_[part]);
      place(at, part);
      return at;
    };
    tree_.nodes[node].left = child(split_[s]);
    tree_.nodes[node].right = child(s ^ split_[s]);
  }

  Tree& tree_;
  std::vector<NodeId> frontier_, inner_;
  std::vector<Index> names_;
  std::vector<Set> kept_;
  std::vector<double> best_;
  std::vector<std::size_t> split_;
  double present_ = 0;
  std::array<double, 64 * kWords + 1> power_;
};

Merges refined(const Network& network, const Merges& merges) {
  Tree tree = make_tree(network, merges);
  Refiner(tree).run();
  return merges_of(tree);
}

double price(const Network& network, const Merges& merges) {
  return cost_of(make_tree(network, merges), {}).combined();
}

/// What is left when tensors that neighbours can take in for nothing are gone.
struct Reduced {
  Network network;
  Merges merges;                ///< of the whole network
  std::vector<NodeId> node_of;  ///< of each leaf that is left
};

Reduced absorb(const Network& network) {
  Reduced out{.network = {}, .merges = greedy_order(network, {.only_absorb = true}), .node_of = {}};
  const Tree tree = make_tree(network, out.merges);
  std::vector<bool> is_used(tree.nodes.size());
  std::vector<std::uint32_t> place(tree.nodes.size());
  for (std::uint32_t i = 0; i < network.along.size(); ++i) place[network.along[i]] = i;
  for (std::size_t i = 0; i < out.merges.size(); ++i) {
    const auto [a, b] = out.merges[i];
    is_used[a] = is_used[b] = true;
    place[tree.leaves + i] = std::min(place[a], place[b]);
  }
  for (NodeId node = 0; node < tree.nodes.size(); ++node) {
    if (is_used[node]) continue;
    out.node_of.push_back(node);
    out.network.leaves.push_back(tree.nodes[node].indices);
  }
  out.network.indices = network.indices;
  out.network.along.resize(out.node_of.size());
  std::iota(out.network.along.begin(), out.network.along.end(), 0U);
  std::ranges::sort(out.network.along, {}, [&](std::uint32_t leaf) { return place[out.node_of[leaf]]; });
  return out;
}

Merges best_order(const Network& network, const SearchLimits& limits) {
  Merges best = greedy_order(network, {});
  double cost = price(network, best);
  const auto consider = [&](Merges merges) {
    const double found = price(network, merges);
    if (found >= cost) return;
    cost = found;
    best = std::move(merges);
  };
  consider(sweeping_order(network));
  if (cost < limits.worth_more || cost > limits.hopeless) return best;
  const double affordable = kShareOfSearch * cost / (kGreedySteps * static_cast<double>(network.leaves.size()));
  const auto restarts = static_cast<std::uint32_t>(std::min<double>(limits.restarts, affordable));
  for (std::uint32_t seed = 1; seed <= restarts; ++seed) {
    base::Philox random(seed);
    const double weight = 0.2 + 1.6 * random.uniform(), temperature = std::pow(10.0, -2.5 + 2.5 * random.uniform());
    consider(greedy_order(network, {.weight = weight, .temperature = temperature, .seed = seed}));
  }
  return refined(network, best);
}

/// Fixes indices of the largest step until every step fits: each time the one that makes the whole least dear.
void slice(Reduced& reduced, Merges& merges, const SearchLimits& limits, Path& path) {
  Network rest = reduced.network;
  for (;;) {
    const Tree tree = make_tree(reduced.network, merges);
    const TreeCost cost = cost_of(tree, path.sliced);
    if (cost.largest <= limits.largest) return;
    if (path.sliced.size() == kMostSliced || cost.multiplications > limits.hopeless) {
      path.fits = false;
      return;
    }
    const Tree now = make_tree(rest, merges);
    std::vector<Index> widest;
    for (auto node = static_cast<NodeId>(now.leaves); node < now.nodes.size(); ++node) {
      std::vector<Index> all =
          joined(now.nodes[now.nodes[node].left].indices, now.nodes[now.nodes[node].right].indices);
      if (all.size() > widest.size()) widest = std::move(all);
    }
    if (widest.empty()) {
      path.fits = false;
      return;
    }
    double least = INFINITY;
    std::vector<Index> chosen;
    for (const Index index : widest) {
      std::vector<Index> sliced = path.sliced;
      sliced.insert(std::ranges::upper_bound(sliced, index), index);
      const TreeCost then = cost_of(tree, sliced);
      const double worth = then.combined() * std::max(1.0, then.largest / limits.largest);
      if (worth >= least) continue;
      least = worth;
      chosen = std::move(sliced);
    }
    path.sliced = std::move(chosen);
    rest = reduced.network;
    for (auto& axes : rest.leaves)
      std::erase_if(axes, [&](Index index) { return std::ranges::binary_search(path.sliced, index); });
    const Merges other = refined(rest, merges);
    if (cost_of(make_tree(reduced.network, other), path.sliced).combined() <= least) merges = other;
  }
}

}  // namespace

Path find_path(const Network& network, const SearchLimits& limits) {
  Reduced reduced = absorb(network);
  Merges merges = best_order(reduced.network, limits);
  Path path;
  slice(reduced, merges, limits, path);
  const auto leaves = static_cast<NodeId>(reduced.network.leaves.size());
  const auto first = static_cast<NodeId>(network.leaves.size() + reduced.merges.size());
  const auto name = [&](NodeId node) { return node < leaves ? reduced.node_of[node] : first + node - leaves; };
  for (const auto& [a, b] : merges) reduced.merges.emplace_back(name(a), name(b));
  path.tree = make_tree(network, reduced.merges);
  path.cost = cost_of(path.tree, path.sliced);
  return path;
}

}  // namespace skerry::sim
