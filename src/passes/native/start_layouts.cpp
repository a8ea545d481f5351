#include "passes/native/start_layouts.hpp"

#include <algorithm>
#include <functional>
#include <numeric>

namespace skerry::passes::native {
namespace {

constexpr std::uint32_t kMostWires = 1024;  // above it nobody's meetings are counted
constexpr Wire kNowhere = ~Wire{0};

std::vector<Wire> shuffled(std::uint32_t wires, base::Philox& random) {
  std::vector<Wire> places(wires);
  std::iota(places.begin(), places.end(), 0U);
  for (std::uint32_t i = wires; i > 1; --i) std::swap(places[i - 1], places[random() % i]);
  return places;
}

}  // namespace

StartLayouts::StartLayouts(const RouteGraph& graph, std::uint32_t wires, const Coupling& coupling)
    : wires_(wires), coupling_(coupling), partners_(wires), along_path_(longest_path()) {
  const std::size_t length = along_path_.size();
  std::vector<std::uint8_t> taken(coupling.size(), 0);
  for (const Wire p : along_path_) taken[p] = 1;
  for (Wire p = 0; p < coupling.size(); ++p) {
    if (taken[p] == 0) along_path_.push_back(p);
  }
  keep_path_alone(length);
  if (wires > kMostWires) return;
  std::vector<double> weight(std::size_t{wires} * wires, 0.0);
  const double half = std::max(8.0, static_cast<double>(graph.size()) / 3);
  for (std::uint32_t i = 0; i < graph.size(); ++i) {
    const RouteNode& node = graph.node(i);
    if (node.is_pair) weight[std::min(node.a, node.b) * wires + std::max(node.a, node.b)] += half / (half + i);
  }
  for (Wire a = 0; a < wires; ++a) {
    for (Wire b = a + 1; b < wires; ++b) {
      if (weight[a * wires + b] == 0) continue;
      partners_[a].emplace_back(b, weight[a * wires + b]);
      partners_[b].emplace_back(a, weight[a * wires + b]);
    }
  }
}

std::vector<Wire> StartLayouts::start(std::size_t number, base::Philox& random) const {
  if (number == 0) return along_path_;
  return number % 2 == 1 && wires_ <= kMostWires ? grown(random) : gathered(random);
}

// In order along a long path, where programs that pass something on from wire to wire find their neighbours.
std::vector<Wire> StartLayouts::longest_path() const {
  constexpr std::size_t kMostEnds = 6;
  std::vector<Wire> ends(coupling_.size()), longest;
  std::iota(ends.begin(), ends.end(), 0U);
  std::ranges::stable_sort(ends, {}, [&](Wire p) { return coupling_.neighbours(p).size(); });
  for (std::size_t k = 0; k < std::min(ends.size(), kMostEnds); ++k) {
    std::vector<Wire> path = path_from(ends[k]);
    if (path.size() > longest.size()) longest = std::move(path);
    if (longest.size() >= wires_) break;
  }
  return longest;
}

void StartLayouts::keep_path_alone(std::size_t length) {
  // Distances of larger devices would take longer than the walks.
  constexpr std::uint32_t kMostOnDevice = 512;
  if (length < wires_ || wires_ < 3 || coupling_.size() > kMostOnDevice) return;
  Target tree{.qubits = coupling_.size(), .all_to_all = false};
  std::vector<std::uint8_t> taken(coupling_.size(), 0);
  std::vector<Wire> queue(along_path_.begin(), along_path_.begin() + static_cast<std::ptrdiff_t>(length));
  for (std::size_t i = 0; i < length; ++i) {
    taken[queue[i]] = 1;
    if (i > 0) tree.coupling.emplace_back(queue[i - 1], queue[i]);
  }
  std::size_t edges = 0;
  for (std::size_t i = 0; i < queue.size(); ++i) {
    edges += coupling_.neighbours(queue[i]).size();
    for (const Wire next : coupling_.neighbours(queue[i])) {
      if (taken[next] != 0) continue;
      taken[next] = 1;
      queue.push_back(next);
      tree.coupling.emplace_back(queue[i], next);
    }
  }
  if (edges > 2 * tree.coupling.size()) path_alone_.emplace(tree);
}

// Always to the wire that has the fewest ways on (Warnsdorff), some steps back where that ends too early.
std::vector<Wire> StartLayouts::path_from(Wire end) const {
  constexpr std::size_t kMostSteps = 500;
  std::vector<std::uint8_t> taken(coupling_.size(), 0);
  std::vector<Wire> path, longest;
  std::vector<std::vector<Wire>> ways = {{end}};  // at each wire of the path, the best last
  for (std::size_t step = 0; step < kMostSteps + wires_ && !ways.empty() && longest.size() < wires_; ++step) {
    if (ways.back().empty()) {
      ways.pop_back();
      if (path.empty()) break;
      taken[path.back()] = 0;
      path.pop_back();
      continue;
    }
    const Wire at = ways.back().back();
    ways.back().pop_back();
    path.push_back(at);
    taken[at] = 1;
    if (path.size() > longest.size()) longest = path;
    const auto on = [&](Wire q) {
      const auto free = static_cast<std::size_t>(
          std::ranges::count_if(coupling_.neighbours(q), [&](Wire r) { return taken[r] == 0; }));
      return free == 0 ? coupling_.size() : free;  // a dead end is for the last wire
    };
    std::vector<Wire>& next = ways.emplace_back();
    for (const Wire q : coupling_.neighbours(at)) {
      if (taken[q] == 0) next.push_back(q);
    }
    std::ranges::reverse(next);
    std::ranges::stable_sort(next, std::greater(), on);
  }
  return longest;
}

// The wires nearest to a centre, in a random order: spare wires stay outside.
std::vector<Wire> StartLayouts::gathered(base::Philox& random) const {
  const Wire centre = random() % coupling_.size();
  std::vector<Wire> places = shuffled(coupling_.size(), random);
  std::ranges::stable_sort(places, {}, [&](Wire p) { return coupling_.distance(centre, p); });
  for (std::uint32_t i = wires_; i > 1; --i) std::swap(places[i - 1], places[random() % i]);
  return places;
}

// Wire by wire, the one that meets those already placed most, where it is nearest to them.
std::vector<Wire> StartLayouts::grown(base::Philox& random) const {
  std::vector<Wire> places(wires_, kNowhere);
  std::vector<std::uint8_t> taken(coupling_.size(), 0);
  std::vector<double> drawn(wires_, 0.0), far_from_all(coupling_.size(), 0.0);
  Wire next = wires_ == 0 ? 0 : random() % wires_;
  for (std::uint32_t count = 0; count < wires_; ++count) {
    const Wire place = count == 0 ? random() % coupling_.size() : nearest(next, places, taken, far_from_all);
    places[next] = place;
    taken[place] = 1;
    for (Wire p = 0; p < coupling_.size(); ++p) far_from_all[p] += coupling_.distances(place)[p];
    for (const auto& [partner, weight] : partners_[next]) drawn[partner] += weight;
    next = kNowhere;
    for (Wire w = 0; w < wires_; ++w) {
      if (places[w] == kNowhere && (next == kNowhere || drawn[w] > drawn[next])) next = w;
    }
  }
  for (Wire p = 0; p < coupling_.size(); ++p) {
    if (taken[p] == 0) places.push_back(p);
  }
  return places;
}

Wire StartLayouts::nearest(Wire wire, const std::vector<Wire>& places, const std::vector<std::uint8_t>& taken,
                           const std::vector<double>& far_from_all) const {
  // Whom it never meets weighs a little: all stay together.
  std::vector<double> far(far_from_all);
  for (double& value : far) value *= 1e-3;
  for (const auto& [partner, weight] : partners_[wire]) {
    if (places[partner] == kNowhere) continue;
    const std::uint16_t* const distances = coupling_.distances(places[partner]);
    for (Wire p = 0; p < coupling_.size(); ++p) far[p] += weight * distances[p];
  }
  Wire best = kNowhere;
  for (Wire p = 0; p < coupling_.size(); ++p) {
    if (taken[p] == 0 && (best == kNowhere || far[p] < far[best])) best = p;
  }
  return best;
}

}  // namespace skerry::passes::native
