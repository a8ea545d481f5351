#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>
#include <string>

#include "edge/cut/cuts.hpp"

namespace skerry::edge::cut {
namespace {

constexpr std::uint32_t kNothing = 0xffffffffU;

/// A cut of a choice, and the cuts before it: choices share their past.
struct Past {
  std::uint32_t before = kNothing;
  std::size_t instruction = 0;
  Wire wire = kNothing;  ///< kNothing: the gate itself
};

/// What has been decided up to some instruction: which run of each wire is in which piece, and how wide the pieces are.
struct Choice {
  std::vector<std::uint32_t> run_of_wire;
  std::vector<std::uint32_t> parent;  ///< of runs, a forest whose roots are pieces
  std::vector<std::uint32_t> width;   ///< of roots
  std::uint32_t past = kNothing;
  double cost = 0.0;  ///< log4 of the terms that putting together takes
  double bulk = 0.0;  ///< sum of squared widths: of equal costs the narrower pieces are better

  std::uint32_t piece(Wire wire) const {
    std::uint32_t run = run_of_wire[wire];
    while (parent[run] != run) run = parent[run];
    return run;
  }
  double square(std::uint32_t root) const { return static_cast<double>(width[root]) * width[root]; }
  void widen(std::uint32_t root, std::uint32_t by) {
    bulk -= square(root);
    width[root] += by;
    bulk += square(root);
  }
  void join(std::uint32_t into, std::uint32_t root) {
    if (into == root) return;
    bulk -= square(root);
    parent[root] = into;
    widen(into, width[root]);
  }
};

// A controlled gate has four terms of Pauli pairs, a rotation of any angle up to eight.
double cost_of(const Instruction& gate) {
  return gate.controls != 0 ? 1.0 : 1.5;
}

class Search {
 public:
  Search(const Circuit& circuit, std::uint32_t max_wires, std::uint32_t max_cuts)
      : circuit_(circuit), max_wires_(max_wires), beams_(max_cuts + 1) {
    Choice start;
    for (Wire wire = 0; wire < circuit.num_wires(); ++wire) {
      start.run_of_wire.push_back(wire);
      start.parent.push_back(wire);
      start.width.push_back(1);
    }
    start.bulk = circuit.num_wires();
    touched_.resize(circuit.num_wires());
    beams_[0].push_back(std::move(start));
    // Copying choices is what takes time: some ten million words at most, whatever the circuit.
    constexpr double kWords = 2e7;
    const double copies = static_cast<double>(circuit.body().size() + 1) * 3.0 * (circuit.num_wires() + 16.0);
    const double room = kWords / (copies * (max_cuts + 1.0));
    keep_ = static_cast<std::size_t>(std::clamp(room, 2.0, 24.0));
  }

  Expected<Cuts> run() {
    const Block& body = circuit_.body();
    for (std::size_t i = 0; i < body.size(); ++i) {
      if (body[i].wires.size() > 1) step(i, body[i]);
      for (const Wire wire : body[i].wires) touched_[wire] = true;
    }
    const Choice* best = nullptr;
    for (const auto& beam : beams_) {
      for (const Choice& choice : beam) {
        if (best == nullptr || is_better(choice, *best)) best = &choice;
      }
    }
    if (best == nullptr) {
      return Unexpected{"no way was found to cut the circuit into pieces of at most " + std::to_string(max_wires_) +
                        " wires with at most " + std::to_string(beams_.size() - 1) + " cuts"};
    }
    return cuts_of(*best);
  }

 private:
  static bool is_better(const Choice& a, const Choice& b) {
    return a.cost != b.cost ? a.cost < b.cost : a.bulk < b.bulk;
  }

  void step(std::size_t i, const Instruction& gate) {
    std::vector<std::vector<Choice>> next(beams_.size());
    for (std::size_t cuts = 0; cuts < beams_.size(); ++cuts) {
      for (Choice& choice : beams_[cuts]) grow(std::move(choice), cuts, i, gate, next);
    }
    for (auto& beam : next) {
      if (beam.size() <= keep_) continue;
      std::ranges::nth_element(beam, beam.begin() + static_cast<std::ptrdiff_t>(keep_), is_better);
      beam.resize(keep_);
    }
    beams_ = std::move(next);
  }

  void grow(Choice choice, std::size_t cuts, std::size_t i, const Instruction& gate,
            std::vector<std::vector<Choice>>& next) {
    std::vector<std::uint32_t> pieces;
    for (const Wire wire : gate.wires) {
      const std::uint32_t piece = choice.piece(wire);
      if (std::ranges::find(pieces, piece) == pieces.end()) pieces.push_back(piece);
    }
    if (pieces.size() == 1) {
      next[cuts].push_back(std::move(choice));
      return;
    }
    if (cuts + 1 < next.size() && pieces.size() == 2) {
      cut_gate(choice, pieces, i, gate, next[cuts + 1]);
      cut_wire(choice, i, gate, next[cuts + 1]);
    }
    std::uint32_t width = 0;
    for (const std::uint32_t piece : pieces) width += choice.width[piece];
    if (width > max_wires_) return;
    for (const std::uint32_t piece : pieces) choice.join(pieces[0], piece);
    next[cuts].push_back(std::move(choice));
  }

  void cut_gate(const Choice& choice, const std::vector<std::uint32_t>& pieces, std::size_t i, const Instruction& gate,
                std::vector<Choice>& out) {
    if (choice.width[pieces[0]] >= max_wires_ || choice.width[pieces[1]] >= max_wires_) return;
    std::vector<Wire> side;
    for (const Wire wire : gate.wires) {
      if (choice.piece(wire) == pieces[0]) side.push_back(wire);
    }
    if (!is_cuttable(gate, side)) return;
    Choice cut = choice;
    for (const std::uint32_t piece : pieces) cut.widen(piece, 1);
    cut.cost += cost_of(gate);
    remember(cut, i, kNothing);
    out.push_back(std::move(cut));
  }

  // One wire of the gate leaves its piece for the other wires': as a new run, with a wire behind it.
  void cut_wire(const Choice& choice, std::size_t i, const Instruction& gate, std::vector<Choice>& out) {
    for (const Wire wire : gate.wires) {
      const std::uint32_t from = choice.piece(wire);
      const bool is_alone =
          std::ranges::none_of(gate.wires, [&](Wire other) { return other != wire && choice.piece(other) == from; });
      if (!is_alone || !touched_[wire]) continue;
      const Wire other = gate.wires[gate.wires[0] == wire ? 1 : 0];
      const std::uint32_t into = choice.piece(other);
      if (choice.width[into] + 2 > max_wires_) continue;
      Choice cut = choice;
      cut.widen(into, 2);
      cut.run_of_wire[wire] = static_cast<std::uint32_t>(cut.parent.size());
      cut.parent.push_back(into);
      cut.width.push_back(0);
      cut.cost += 1.0;
      remember(cut, i, wire);
      out.push_back(std::move(cut));
    }
  }

  void remember(Choice& choice, std::size_t instruction, Wire wire) {
    past_.push_back({choice.past, instruction, wire});
    choice.past = static_cast<std::uint32_t>(past_.size() - 1);
  }

  Cuts cuts_of(const Choice& choice) const {
    Cuts cuts;
    for (std::uint32_t at = choice.past; at != kNothing; at = past_[at].before) {
      if (past_[at].wire == kNothing) {
        cuts.gates.push_back(past_[at].instruction);
      } else {
        cuts.wires.emplace_back(past_[at].instruction, past_[at].wire);
      }
    }
    std::ranges::reverse(cuts.gates);
    std::ranges::reverse(cuts.wires);
    return cuts;
  }

  const Circuit& circuit_;
  std::uint32_t max_wires_;
  std::size_t keep_ = 1;
  std::vector<std::vector<Choice>> beams_;  ///< by number of cuts
  std::vector<Past> past_;
  std::vector<bool> touched_;
};

}  // namespace

Expected<Cuts> find_cuts(const Circuit& straight, std::uint32_t max_wires, std::uint32_t max_cuts) {
  return Search(straight, max_wires, max_cuts).run();
}

}  // namespace skerry::edge::cut
