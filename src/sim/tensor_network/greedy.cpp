#include "sim/tensor_network/greedy.hpp"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <queue>

#include "base/random.hpp"

namespace skerry::sim {
namespace {

/// An index of more tensors than this offers pairs of neighbours in the list alone.
constexpr std::size_t kManyHolders = 10;

class Greedy {
 public:
  Greedy(const Network& network, const GreedyStyle& style)
      : style_(style), random_(style.seed), holders_(network.indices) {
    for (const auto& axes : network.leaves) add(axes);
  }

  Merges run() {
    for (const auto& all : holders_) offer_all(all);
    while (!queue_.empty()) {
      const Offer offer = queue_.top();
      queue_.pop();
      if (!tensors_[offer.a].is_there || !tensors_[offer.b].is_there) continue;
      merge(offer.a, offer.b);
    }
    if (!style_.only_absorb) join_rest();
    return std::move(merges_);
  }

 private:
  struct Tensor {
    std::vector<Index> indices;
    bool is_there = true;
  };
  struct Offer {
    double cost;
    NodeId a, b;
    bool operator<(const Offer& other) const {
      return cost != other.cost ? cost > other.cost : std::pair(a, b) > std::pair(other.a, other.b);
    }
  };

  void add(std::vector<Index> indices) {
    std::ranges::sort(indices);
    const auto id = static_cast<NodeId>(tensors_.size());
    for (const Index index : indices) holders_[index].push_back(id);
    tensors_.push_back({std::move(indices)});
  }

  std::vector<Index> result(NodeId a, NodeId b) const {
    const auto &x = tensors_[a].indices, &y = tensors_[b].indices;
    std::vector<Index> out;
    out.reserve(x.size() + y.size());
    std::size_t i = 0, j = 0;
    while (i < x.size() || j < y.size()) {
      if (j == y.size() || (i < x.size() && x[i] < y[j])) {
        out.push_back(x[i++]);
      } else if (i == x.size() || y[j] < x[i]) {
        out.push_back(y[j++]);
      } else {
        if (holders_[x[i]].size() > 2) out.push_back(x[i]);
        ++i;
        ++j;
      }
    }
    return out;
  }

  void offer(NodeId a, NodeId b) {
    if (a > b) std::swap(a, b);
    const std::size_t size = result(a, b).size(), first = tensors_[a].indices.size(),
                      second = tensors_[b].indices.size();
    if (style_.only_absorb && size > std::max(first, second)) return;
    const auto power = [](std::size_t n) { return std::ldexp(1.0, static_cast<int>(n)); };
    const double gain = power(size) - style_.weight * (power(first) + power(second));
    double cost = std::copysign(std::log1p(std::abs(gain)), gain);
    if (style_.temperature > 0) cost += style_.temperature * std::log(-std::log(std::max(random_.uniform(), 1e-300)));
    queue_.push({cost, a, b});
  }

  void offer_all(const std::vector<NodeId>& all) {
    const std::size_t reach = all.size() > kManyHolders ? 1 : all.size();
    for (std::size_t i = 0; i < all.size(); ++i)
      for (std::size_t j = i + 1; j < std::min(all.size(), i + 1 + reach); ++j) offer(all[i], all[j]);
  }

  void merge(NodeId a, NodeId b) {
    std::vector<Index> indices = result(a, b);
    const auto id = static_cast<NodeId>(tensors_.size());
    for (const NodeId old : {a, b}) {
      for (const Index index : tensors_[old].indices) std::erase(holders_[index], old);
      tensors_[old].is_there = false;
    }
    merges_.emplace_back(a, b);
    add(std::move(indices));
    std::vector<NodeId> neighbours;
    for (const Index index : tensors_[id].indices) {
      const auto& all = holders_[index];
      const std::size_t from = all.size() > kManyHolders ? all.size() - 2 : 0;
      for (std::size_t i = from; i + 1 < all.size(); ++i) neighbours.push_back(all[i]);
    }
    std::ranges::sort(neighbours);
    neighbours.erase(std::unique(neighbours.begin(), neighbours.end()), neighbours.end());
    for (const NodeId other : neighbours) offer(other, id);
  }

  /// What shares no index with the rest, the smallest first.
  void join_rest() {
    const auto later = [&](NodeId a, NodeId b) {
      return std::pair(tensors_[a].indices.size(), a) > std::pair(tensors_[b].indices.size(), b);
    };
    std::priority_queue<NodeId, std::vector<NodeId>, decltype(later)> rest(later);
    for (NodeId id = 0; id < tensors_.size(); ++id)
      if (tensors_[id].is_there) rest.push(id);
    while (rest.size() > 1) {
      const NodeId a = rest.top();
      rest.pop();
      const NodeId b = rest.top();
      rest.pop();
      std::vector<Index> indices = result(a, b);
      for (const NodeId old : {a, b}) {
        for (const Index index : tensors_[old].indices) std::erase(holders_[index], old);
        tensors_[old].is_there = false;
      }
      merges_.emplace_back(a, b);
      rest.push(static_cast<NodeId>(tensors_.size()));
      add(std::move(indices));
    }
  }

  GreedyStyle style_;
  base::Philox random_;
  std::vector<Tensor> tensors_;
  std::vector<std::vector<NodeId>> holders_;
  std::priority_queue<Offer> queue_;
  Merges merges_;
};

}  // namespace

Merges greedy_order(const Network& network, const GreedyStyle& style) {
  return Greedy(network, style).run();
}

Merges sweeping_order(const Network& network) {
  Merges out;
  NodeId last = network.along[0];
  for (std::size_t i = 1; i < network.along.size(); ++i) {
    out.emplace_back(last, network.along[i]);
    last = static_cast<NodeId>(network.leaves.size() + i - 1);
  }
  return out;
}

}  // namespace skerry::sim
