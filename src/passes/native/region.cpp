#include "passes/native/region.hpp"

#include <algorithm>

namespace skerry::passes::native {
namespace {

constexpr std::size_t kMostWires = 64;
constexpr std::uint8_t kFar = 255;

// Wires inside are joined to the first one by shortest ways.
class Joiner {
 public:
  Joiner(const Coupling& coupling, std::span<const Wire> layout)
      : coupling_(coupling),
        wires_(layout.begin(), layout.end()),
        inside_(coupling.size(), 0),
        joined_(coupling.size(), 0) {
    for (const Wire p : wires_) inside_[p] = 1;
  }

  // Empty when it takes too many wires.
  std::vector<Wire> run() {
    reach(wires_[0]);
    while (const auto next = nearest()) {
      auto [from, to] = *next;
      while (coupling_.distance(from, to) > 1) {
        from = *std::ranges::min_element(coupling_.neighbours(from), {},
                                         [&, goal = to](Wire w) { return coupling_.distance(w, goal); });
        inside_[from] = 1;
        wires_.push_back(from);
        if (wires_.size() > kMostWires) return {};
      }
      reach(to);
    }
    return std::move(wires_);
  }

 private:
  // What can be reached inside.
  void reach(Wire start) {
    std::vector<Wire> stack = {start};
    joined_[start] = 1;
    while (!stack.empty()) {
      const Wire at = stack.back();
      stack.pop_back();
      for (const Wire next : coupling_.neighbours(at)) {
        if (inside_[next] == 0 || joined_[next] != 0) continue;
        joined_[next] = 1;
        stack.push_back(next);
      }
    }
  }

  // A wire that is not joined and the one nearest to it that is.
  std::optional<std::pair<Wire, Wire>> nearest() const {
    std::optional<std::pair<Wire, Wire>> best;
    for (const Wire p : wires_) {
      if (joined_[p] != 0) continue;
      for (const Wire q : wires_) {
        if (joined_[q] == 0) continue;
        if (!best || coupling_.distance(p, q) < coupling_.distance(best->first, best->second)) best = {p, q};
      }
    }
    return best;
  }

  const Coupling& coupling_;
  std::vector<Wire> wires_;
  std::vector<std::uint8_t> inside_, joined_;
};

}  // namespace

std::optional<Region> connected_region(const Coupling& coupling, std::span<const Wire> layout) {
  if (layout.empty() || layout.size() > kMostWires) return std::nullopt;
  Region region{.wires = Joiner(coupling, layout).run()};
  const std::size_t size = region.wires.size();
  if (size == 0) return std::nullopt;
  std::vector<Wire> index(coupling.size(), static_cast<Wire>(size));
  for (std::size_t i = 0; i < size; ++i) index[region.wires[i]] = static_cast<Wire>(i);
  region.neighbours.resize(size);
  for (std::size_t i = 0; i < size; ++i) {
    for (const Wire next : coupling.neighbours(region.wires[i])) {
      if (index[next] < size) region.neighbours[i].push_back(index[next]);
    }
  }
  region.distance.assign(size * size, kFar);
  for (std::size_t i = 0; i < size; ++i) {
    std::uint8_t* const distance = &region.distance[i * size];
    std::vector<Wire> queue = {static_cast<Wire>(i)};
    distance[i] = 0;
    for (std::size_t k = 0; k < queue.size(); ++k) {
      for (const Wire next : region.neighbours[queue[k]]) {
        if (distance[next] != kFar) continue;
        distance[next] = static_cast<std::uint8_t>(distance[queue[k]] + 1);
        queue.push_back(next);
      }
    }
  }
  return region;
}

}  // namespace skerry::passes::native
