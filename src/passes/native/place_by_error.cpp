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
Flat pairs_of(const Uses& uses, std::uint32_t wires) {
  Flat pairs;
  pairs.wires = wires;
  for (const auto& [pair, unused] : uses.pairs) pairs.gates.push_back({Kind::cx, pair.first, pair.second, 0});
  return pairs;
}

// Minus the logarithm of the chance that all goes well, looked up once for every place.
class Prices {
 public:
  Prices(const Uses& uses, const Coupling& coupling, const Target& target, const std::string& entangler)
      : size_(coupling.size()), pair_(std::size_t{size_} * size_, 0.0), one_(size_, 0.0), measurement_(size_, 0.0) {
    pairs_.assign(uses.pairs.begin(), uses.pairs.end());
    ones_.assign(uses.ones.begin(), uses.ones.end());
    measurements_.assign(uses.measurements.begin(), uses.measurements.end());
    const auto loss = [&target](const std::string& name, const std::vector<Wire>& wires) {
      return -std::log1p(-std::min(target.error(name, wires), 0.999999));
    };
    for (Wire p = 0; p < size_; ++p) {
      for (const Wire q : coupling.neighbours(p)) pair_[p * size_ + q] = loss(entangler, {p, q});
      measurement_[p] = loss("measure", {p});
      // A matrix is written with some gates of one wire; the one that fails most stands for them.
      for (const auto& [name, unused] : target.gates) {
        if (name != "measure" && name != "reset" && name != entangler) one_[p] = std::max(one_[p], loss(name, {p}));
      }
    }
  }

  double of(const std::vector<Wire>& place) const {
    double sum = 0;
    for (const auto& [pair, count] : pairs_) sum += count * pair_[place[pair.first] * size_ + place[pair.second]];
    for (const auto& [wire, count] : ones_) sum += count * one_[place[wire]];
    for (const auto& [wire, count] : measurements_) sum += count * measurement_[place[wire]];
    return sum;
  }

 private:
  std::uint32_t size_;
  std::vector<std::pair<std::pair<Wire, Wire>, double>> pairs_;
  std::vector<std::pair<Wire, double>> ones_, measurements_;
  std::vector<double> pair_, one_, measurement_;
};

}  // namespace

bool knows_errors(const Target& target) {
  return std::ranges::any_of(target.gates, [](const auto& row) { return !row.second.errors.empty(); });
}

bool place_by_error(Flat& flat, std::vector<Wire>& initial, const Coupling& coupling, const Target& target,
                    const std::string& entangler) {
  Uses uses;
  uses.count(flat);
  const Prices prices(uses, coupling, target, entangler);
  // Enough for one whole placement from each wire and some turns back.
  const std::size_t steps = std::max<std::size_t>(16 + 2 * uses.pairs.size(), 1000 / coupling.size());
  std::vector<Wire> best(flat.wires);
  for (Wire wire = 0; wire < flat.wires; ++wire) best[wire] = wire;
  const double before = prices.of(best);
  double least = before;
  visit_placements(RouteGraph(pairs_of(uses, flat.wires)), flat.wires, coupling, steps,
                   [&](const std::vector<Wire>& place) {
                     const double price = prices.of(place);
                     if (price >= least - 1e-12) return;
                     least = price;
                     best = place;
                   });
  if (least >= before) return false;
  rename_wires(flat, best);
  for (Wire& wire : initial) wire = best[wire];
  return true;
}

}  // namespace skerry::passes::native
