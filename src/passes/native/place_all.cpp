#include "passes/native/place_all.hpp"

#include <algorithm>
#include <set>

#include "passes/native/pairs.hpp"

namespace skerry::passes::native {
namespace {

class Search {
 public:
  Search(const RouteGraph& graph, std::uint32_t wires, const Coupling& coupling)
      : coupling_(coupling), neighbours_(wires), place_(wires, kNoGate), taken_(coupling.size(), 0) {
    std::set<std::pair<Wire, Wire>> edges;
    for (std::uint32_t i = 0; i < graph.size(); ++i) {
      const RouteNode& node = graph.node(i);
      if (node.is_pair) edges.emplace(std::min(node.a, node.b), std::max(node.a, node.b));
    }
    for (const auto& [a, b] : edges) {
      neighbours_[a].push_back(b);
      neighbours_[b].push_back(a);
    }
  }

  bool possible() const {
    std::vector<std::size_t> wanted, held;
    for (const auto& list : neighbours_) wanted.push_back(list.size());
    for (Wire p = 0; p < coupling_.size(); ++p) held.push_back(coupling_.neighbours(p).size());
    if (wanted.size() > held.size()) return false;
    std::ranges::sort(wanted, std::greater());
    std::ranges::sort(held, std::greater());
    return std::ranges::equal(wanted, std::span(held).first(wanted.size()), std::less_equal());
  }

  bool run(std::size_t steps) {
    bool found = false;
    choose_order();
    search(steps, [&found] { return found = true; });
    return found;
  }

  // Those that begin at one device wire.
  template <class Found>
  void run_from(Wire root, std::size_t steps, Found found) {
    if (order_.empty()) choose_order();
    root_ = root;
    std::ranges::fill(taken_, 0);
    std::ranges::fill(place_, kNoGate);
    search(steps, [&] {
      found();
      return false;
    });
  }

  // Wires that meet nobody take what is left.
  std::vector<Wire> places() const {
    std::vector<Wire> all = place_;
    Wire free = 0;
    for (Wire& p : all) {
      if (p != kNoGate) continue;
      while (taken_[free] != 0) ++free;
      p = free++;
    }
    return all;
  }

 private:
  // Backtracking; goes on until `found` says that it is enough.
  template <class Found>
  void search(std::size_t steps, Found found) {
    std::vector<std::size_t> tried(order_.size(), 0);
    std::size_t depth = 0;
    while (true) {
      if (depth == order_.size()) {
        if (found() || depth == 0) return;
        --depth;
      }
      const Wire wire = order_[depth];
      if (place_[wire] != kNoGate) {
        taken_[place_[wire]] = 0;
        place_[wire] = kNoGate;
      }
      bool placed = false;
      while (!placed && tried[depth] < candidates(depth)) {
        if (steps-- == 0) return;
        const Wire p = candidate(depth, tried[depth]++);
        if (!fits(wire, p)) continue;
        place_[wire] = p;
        taken_[p] = 1;
        placed = true;
      }
      if (placed) {
        ++depth;
        continue;
      }
      tried[depth] = 0;
      if (depth == 0) return;
      --depth;
    }
  }

  void choose_order() {
    std::vector<std::uint32_t> joined(neighbours_.size(), 0);
    std::vector<std::uint8_t> chosen(neighbours_.size(), 0);
    anchor_.assign(neighbours_.size(), kNoGate);
    while (true) {
      std::uint32_t best = kNoGate;
      for (std::uint32_t w = 0; w < neighbours_.size(); ++w) {
        if (chosen[w] != 0 || neighbours_[w].empty()) continue;
        const auto rank = [&](std::uint32_t x) { return std::pair(joined[x], neighbours_[x].size()); };
        if (best == kNoGate || rank(w) > rank(best)) best = w;
      }
      if (best == kNoGate) return;
      chosen[best] = 1;
      order_.push_back(best);
      for (const Wire other : neighbours_[best]) {
        ++joined[other];
        if (chosen[other] != 0 && anchor_[best] == kNoGate) anchor_[best] = other;
      }
    }
  }

  std::size_t candidates(std::size_t depth) const {
    const Wire anchor = anchor_[order_[depth]];
    if (depth == 0 && root_ != kNoGate) return 1;
    return anchor == kNoGate ? coupling_.size() : coupling_.neighbours(place_[anchor]).size();
  }
  Wire candidate(std::size_t depth, std::size_t k) const {
    const Wire anchor = anchor_[order_[depth]];
    if (depth == 0 && root_ != kNoGate) return root_;
    return anchor == kNoGate ? static_cast<Wire>(k) : coupling_.neighbours(place_[anchor])[k];
  }
  bool fits(Wire wire, Wire p) const {
    if (taken_[p] != 0 || coupling_.neighbours(p).size() < neighbours_[wire].size()) return false;
    return std::ranges::all_of(neighbours_[wire], [&](Wire other) {
      return place_[other] == kNoGate || coupling_.distance(p, place_[other]) == 1;
    });
  }

  const Coupling& coupling_;
  std::vector<std::vector<Wire>> neighbours_;
  std::vector<Wire> place_, anchor_, order_;
  std::vector<std::uint8_t> taken_;
  Wire root_ = kNoGate;  ///< where the first wire goes, if that is given
};

}  // namespace

std::optional<std::vector<Wire>> place_all(const RouteGraph& graph, std::uint32_t wires, const Coupling& coupling,
                                           std::size_t steps) {
  Search search(graph, wires, coupling);
  if (!search.possible() || !search.run(steps)) return std::nullopt;
  return search.places();
}

void visit_placements(const RouteGraph& graph, std::uint32_t wires, const Coupling& coupling, std::size_t steps,
                      const std::function<void(const std::vector<Wire>&)>& visit) {
  Search search(graph, wires, coupling);
  if (!search.possible()) return;
  for (Wire root = 0; root < coupling.size(); ++root) {
    search.run_from(root, steps, [&] { visit(search.places()); });
  }
}

}  // namespace skerry::passes::native
