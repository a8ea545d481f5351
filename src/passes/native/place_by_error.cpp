#include "passes/native/place_by_error.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <string>

#include "passes/native/place_all.hpp"

namespace skerry::passes::native {
namespace {

// How often each thing happens, on the wires where it stands.
struct Uses {
  std::map<std::pair<Wire, Wire>, double> pairs;
  std::map<Wire, double> ones, measurements;

  void count(const Flat& flat) {  // NOLINT(misc-no-recursion): blocks nest at most ir::kMaxNesting deep
    for (const Gate& gate : flat.gates) {
      switch (gate.kind) {
        case Kind::one:
          ++ones[gate.a];
          break;
        case Kind::turn:
          break;
        case Kind::cx:
          ++pairs[{gate.a, gate.b}];
          break;
        case Kind::swap:
          pairs[{gate.a, gate.b}] += 3;
          break;
        case Kind::other:
          other(flat.others[gate.index]);
          break;
      }
    }
  }

  void other(const Other& other) {  // NOLINT(misc-no-recursion): as above
    if (other.op == Op::measure) ++measurements[other.wires[0]];
    for (const Flat& body : other.bodies) count(body);
  }
};

// The gates of two wires of all blocks, for the search.
void gather_pairs(const Uses& uses, Flat& into) {
  for (const auto& [pair, unused] : uses.pairs) into.gates.push_back({Kind::cx, pair.first, pair.second, 0});
}

class Prices {
 public:
  Prices(const Uses& uses, const Target& target, const std::string& entangler)
      : uses_(uses), target_(target), entangler_(entangler) {
    // A matrix on one wire is written with the gate of one wire that fails most, once or twice.
    for (const auto& [name, figures] : target.gates) {
      if (name != "measure" && name != "reset" && name != entangler) ones_.push_back(name);
    }
  }

  // Minus the logarithm of the chance that all goes well.
  double of(const std::vector<Wire>& place) const {
    double sum = 0;
    for (const auto& [pair, count] : uses_.pairs)
      sum += count * loss(entangler_, {place[pair.first], place[pair.second]});
    for (const auto& [wire, count] : uses_.ones) {
      double most = 0;
      for (const std::string& name : ones_) most = std::max(most, loss(name, {place[wire]}));
      sum += count * most;
    }
    for (const auto& [wire, count] : uses_.measurements) sum += count * loss("measure", {place[wire]});
    return sum;
  }

 private:
  double loss(const std::string& name, const std::vector<Wire>& wires) const {
    const auto [at, fresh] = known_.try_emplace({name, wires}, 0.0);
    if (fresh) at->second = -std::log1p(-std::min(target_.error(name, wires), 0.999999));
    return at->second;
  }

  const Uses& uses_;
  const Target& target_;
  std::string entangler_;
  std::vector<std::string> ones_;
  mutable std::map<std::pair<std::string, std::vector<Wire>>, double> known_;
};

void rename(Flat& flat, const std::vector<Wire>& to) {  // NOLINT(misc-no-recursion): as above
  for (Gate& gate : flat.gates) {
    if (gate.kind == Kind::other) continue;
    gate.a = to[gate.a];
    gate.b = to[gate.b];
  }
  for (Other& other : flat.others) {
    for (Wire& wire : other.wires) wire = to[wire];
    for (Flat& body : other.bodies) rename(body, to);
  }
  for (Wire& wire : flat.places) wire = to[wire];
}

}  // namespace

bool knows_errors(const Target& target) {
  return std::ranges::any_of(target.gates, [](const auto& row) { return !row.second.errors.empty(); });
}

bool place_by_error(Flat& flat, std::vector<Wire>& initial, const Coupling& coupling, const Target& target,
                    const std::string& entangler) {
  constexpr std::size_t kSteps = 200;
  Uses uses;
  uses.count(flat);
  Flat pairs;
  pairs.wires = flat.wires;
  gather_pairs(uses, pairs);
  const Prices prices(uses, target, entangler);
  std::vector<Wire> best(flat.wires);
  for (Wire wire = 0; wire < flat.wires; ++wire) best[wire] = wire;
  const double before = prices.of(best);
  double least = before;
  visit_placements(RouteGraph(pairs), flat.wires, coupling, kSteps, [&](const std::vector<Wire>& place) {
    const double price = prices.of(place);
    if (price >= least - 1e-12) return;
    least = price;
    best = place;
  });
  if (least >= before) return false;
  rename(flat, best);
  for (Wire& wire : initial) wire = best[wire];
  return true;
}

}  // namespace skerry::passes::native
