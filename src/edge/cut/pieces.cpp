#include "edge/cut/pieces.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>
#include <string_view>

#include "ops/qubit/gate_record.hpp"

namespace skerry::edge::cut {
namespace {

using Complex = std::complex<double>;
constexpr std::uint32_t kNone = 0xffffffffU;
constexpr std::uint32_t kSmall = 12;

constexpr std::array<std::array<Complex, 4>, 4> kPaulis{{
    {1.0, 0.0, 0.0, 1.0},
    {0.0, 1.0, 1.0, 0.0},
    {0.0, Complex(0.0, -1.0), Complex(0.0, 1.0), 0.0},
    {1.0, 0.0, 0.0, -1.0},
}};

/// Runs of wires between cuts, joined to pieces by the gates that are not cut.
class Runs {
 public:
  Runs(const Circuit& circuit, const Cuts& cuts) : current_(circuit.num_wires()) {
    for (std::uint32_t& run : current_) run = add();
    const std::vector<std::uint32_t> first = current_;
    const Block& body = circuit.body();
    std::size_t wire_cut = 0, gate_cut = 0;
    for (std::size_t i = 0; i < body.size(); ++i) {
      for (; wire_cut < cuts.wires.size() && cuts.wires[wire_cut].first == i; ++wire_cut)
        current_[cuts.wires[wire_cut].second] = add();
      const auto wires = body[i].wires;
      const bool is_cut = gate_cut < cuts.gates.size() && cuts.gates[gate_cut] == i;
      gate_cut += is_cut ? 1 : 0;
      for (std::size_t k = 1; !is_cut && k < wires.size(); ++k) join(current_[wires[0]], current_[wires[k]]);
    }
    current_ = first;
  }

  /// Walking again: the run of a wire, and the next one at a cut. Runs are numbered in the order of the walk.
  std::uint32_t run(Wire wire) const { return current_[wire]; }
  void advance(Wire wire) { current_[wire] = next_++; }
  std::size_t size() const noexcept { return parent_.size(); }
  std::uint32_t root(std::uint32_t run) {
    while (parent_[run] != run) run = parent_[run] = parent_[parent_[run]];
    return run;
  }
  void join(std::uint32_t a, std::uint32_t b) { parent_[root(b)] = root(a); }
  void start_walk() { next_ = static_cast<std::uint32_t>(current_.size()); }

 private:
  std::uint32_t add() {
    parent_.push_back(static_cast<std::uint32_t>(parent_.size()));
    return parent_.back();
  }

  std::vector<std::uint32_t> current_, parent_;
  std::uint32_t next_ = 0;
};

class Apart {
 public:
  Apart(const Circuit& circuit, const Cuts& cuts) : circuit_(circuit), cuts_(cuts), runs_(circuit, cuts) {}

  Pieces run() {
    number_pieces();
    // The width of a piece is known only after the walk, and a circuit is made with its width: two walks.
    walk();
    for (const std::uint32_t width : widths_) {
      Circuit& circuit = out_.circuits.emplace_back(width);
      for (const Matrix& matrix : circuit_.matrices()) circuit.add_matrix(matrix);
    }
    is_building_ = true;
    walk();
    return std::move(out_);
  }

 private:
  // Linked pieces get a number each; those that nothing links fill up common ones.
  void number_pieces() {
    std::vector<std::uint8_t> is_linked(runs_.size());
    std::vector<std::uint32_t> width(runs_.size());
    for (std::uint32_t run = 0; run < runs_.size(); ++run) ++width[runs_.root(run)];
    mark_linked(is_linked);
    piece_of_root_.assign(runs_.size(), kNone);
    std::uint32_t pieces = 0, common = kNone, filled = 0;
    for (std::uint32_t run = 0; run < runs_.size(); ++run) {
      if (runs_.root(run) != run) continue;
      if (is_linked[run] != 0 || width[run] > kSmall) {
        piece_of_root_[run] = pieces++;
        continue;
      }
      if (common == kNone || filled + width[run] > kSmall) {
        common = pieces++;
        filled = 0;
      }
      filled += width[run];
      piece_of_root_[run] = common;
    }
    widths_.assign(pieces, 0);
  }

  void mark_linked(std::vector<std::uint8_t>& is_linked) {
    runs_.start_walk();
    Runs walk = runs_;
    const Block& body = circuit_.body();
    std::size_t wire_cut = 0, gate_cut = 0;
    for (std::size_t i = 0; i < body.size(); ++i) {
      for (; wire_cut < cuts_.wires.size() && cuts_.wires[wire_cut].first == i; ++wire_cut) {
        const Wire wire = cuts_.wires[wire_cut].second;
        const std::uint32_t before = runs_.root(walk.run(wire));
        walk.advance(wire);
        const std::uint32_t after = runs_.root(walk.run(wire));
        if (before != after) is_linked[before] = is_linked[after] = 1;
      }
      if (gate_cut < cuts_.gates.size() && cuts_.gates[gate_cut] == i) {
        ++gate_cut;
        const std::uint32_t one = runs_.root(walk.run(body[i].wires[0]));
        for (const Wire wire : body[i].wires) {
          const std::uint32_t other = runs_.root(walk.run(wire));
          if (one != other) is_linked[one] = is_linked[other] = 1;
        }
      }
    }
  }

  std::uint32_t piece(const Runs& walk, Wire wire) { return piece_of_root_[runs_.root(walk.run(wire))]; }
  Place fresh(std::uint32_t piece) { return {piece, widths_[piece]++}; }

  void walk() {
    std::ranges::fill(widths_, 0U);
    out_.links.clear();
    Runs walk = runs_;
    out_.outputs.clear();
    for (Wire wire = 0; wire < circuit_.num_wires(); ++wire) out_.outputs.push_back(fresh(piece(walk, wire)));
    const Block& body = circuit_.body();
    std::size_t wire_cut = 0, gate_cut = 0;
    for (std::size_t i = 0; i < body.size(); ++i) {
      for (; wire_cut < cuts_.wires.size() && cuts_.wires[wire_cut].first == i; ++wire_cut) {
        const Wire wire = cuts_.wires[wire_cut].second;
        walk.advance(wire);
        cut_wire(wire, piece(walk, wire));
      }
      const bool is_cut = gate_cut < cuts_.gates.size() && cuts_.gates[gate_cut] == i;
      gate_cut += is_cut ? 1 : 0;
      gate(body[i]);
    }
  }

  // A wire that goes on in the piece in which it was is not cut after all.
  void cut_wire(Wire wire, std::uint32_t into) {
    const Place before = out_.outputs[wire];
    if (before.piece == into) return;
    const Place after = fresh(into), port = fresh(into);
    out_.outputs[wire] = after;
    if (is_building_) out_.circuits[into].h(port.wire).cx(port.wire, after.wire);
    constexpr double kRoot = std::numbers::sqrt2;
    out_.links.push_back({Link::Kind::wire, before, port, {kRoot, 0.0, 0.0, kRoot}, 16.0});
  }

  void gate(const Instruction& gate) {
    const std::uint32_t home = gate.wires.empty() ? 0 : out_.outputs[gate.wires[0]].piece;
    const bool is_whole = std::ranges::all_of(gate.wires, [&](Wire wire) { return out_.outputs[wire].piece == home; });
    if (!is_whole) return cut_gate(gate);
    if (!is_building_ || out_.circuits.empty()) return;
    std::vector<Wire> wires;
    for (const Wire wire : gate.wires) wires.push_back(out_.outputs[wire].wire);
    out_.circuits[home].append(gate.op, wires, gate.params, gate.controls, gate.aux);
  }

  void cut_gate(const Instruction& gate) {
    // Side a holds controls alone (or, of a rotation, the first target).
    const std::span<const Wire> targets = gate.targets();
    const std::uint32_t target_piece = out_.outputs[targets.empty() ? gate.wires.back() : targets.back()].piece;
    const auto other =
        std::ranges::find_if(gate.wires, [&](Wire wire) { return out_.outputs[wire].piece != target_piece; });
    const Place a = fresh(out_.outputs[*other].piece), b = fresh(target_piece);
    Link link{Link::Kind::gate, a, b, {1.0, 1.0, 1.0, -1.0}, 9.0};
    if (gate.controls == 0) {
      const double half = gate.params[0].value / 2;
      link.weights = {2.0 * std::cos(half), 0.0, 0.0, Complex(0.0, -2.0 * std::sin(half))};
      link.sampling_overhead = std::pow(1.0 + 2.0 * std::abs(std::sin(gate.params[0].value)), 2);
    } else if (gate.op != Op::x && gate.op != Op::z && gate.op != Op::y && gate.params.size() == 1) {
      link.sampling_overhead = std::pow(1.0 + 2.0 * std::abs(std::sin(gate.params[0].value / 2)), 2);
    }
    out_.links.push_back(link);
    if (!is_building_) return;
    out_.circuits[a.piece].h(a.wire);
    out_.circuits[b.piece].h(b.wire);
    if (gate.controls == 0) {
      const std::string_view letters = ops::gate_record(gate.op).generator;
      controlled_pauli(letters[0], b.piece == out_.outputs[targets[0]].piece ? b : a, targets[0]);
      controlled_pauli(letters[1], b.piece == out_.outputs[targets[1]].piece ? b : a, targets[1]);
      return;
    }
    controlled(gate, a, b);
  }

  void controlled_pauli(char letter, const Place& port, Wire wire) {
    const Op op = letter == 'X' ? Op::x : letter == 'Y' ? Op::y : Op::z;
    const std::array<Wire, 2> wires{port.wire, out_.outputs[wire].wire};
    out_.circuits[port.piece].append(op, wires, {}, 1);
  }

  // On side a the sign of all controls being 1, on side b the gate with the controls that are there.
  void controlled(const Instruction& gate, const Place& a, const Place& b) {
    std::vector<Wire> sign{a.wire}, rest{b.wire};
    for (const Wire wire : gate.control_wires()) {
      const Place at = out_.outputs[wire];
      (at.piece == a.piece ? sign : rest).push_back(at.wire);
    }
    const auto controls = static_cast<std::uint16_t>(rest.size());
    for (const Wire wire : gate.targets()) rest.push_back(out_.outputs[wire].wire);
    out_.circuits[a.piece].append(Op::z, sign, {}, static_cast<std::uint16_t>(sign.size() - 1));
    out_.circuits[b.piece].append(gate.op, rest, gate.params, controls, gate.aux);
  }

  const Circuit& circuit_;
  const Cuts& cuts_;
  Runs runs_;
  std::vector<std::uint32_t> piece_of_root_, widths_;
  bool is_building_ = false;
  Pieces out_;
};

}  // namespace

std::array<double, 16> Link::pauli_weights() const {
  std::array<double, 16> out{};
  for (std::size_t p = 0; p < 4; ++p) {
    for (std::size_t q = 0; q < 4; ++q) {
      Complex sum = 0.0;
      for (std::size_t ket = 0; ket < 4; ++ket) {
        for (std::size_t bra = 0; bra < 4; ++bra) {
          const Complex pa = kPaulis[p][2 * (ket >> 1) + (bra >> 1)], qb = kPaulis[q][2 * (ket & 1) + (bra & 1)];
          sum += std::conj(weights[bra]) * weights[ket] * pa * qb;
        }
      }
      out[4 * p + q] = std::abs(sum.real()) < 1e-15 ? 0.0 : sum.real() / 4;
    }
  }
  return out;
}

std::uint32_t Pieces::gate_cuts() const noexcept {
  return static_cast<std::uint32_t>(links.size()) - wire_cuts();
}

std::uint32_t Pieces::wire_cuts() const noexcept {
  return static_cast<std::uint32_t>(std::ranges::count(links, Link::Kind::wire, &Link::kind));
}

std::uint32_t Pieces::widest() const noexcept {
  std::uint32_t widest = 0;
  for (const Circuit& circuit : circuits) widest = std::max(widest, circuit.num_wires());
  return widest;
}

double Pieces::terms() const {
  double terms = 1.0;
  for (const Link& link : links) {
    const auto weights = link.pauli_weights();
    terms *= static_cast<double>(16 - std::ranges::count(weights, 0.0));
  }
  return terms;
}

double Pieces::sampling_overhead() const noexcept {
  double product = 1.0;
  for (const Link& link : links) product *= link.sampling_overhead;
  return product;
}

Pieces take_apart(const Circuit& straight, const Cuts& cuts) {
  return Apart(straight, cuts).run();
}

}  // namespace skerry::edge::cut
