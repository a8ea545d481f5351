#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <map>
#include <numeric>
#include <skerry/compile.hpp>
#include <skerry/error.hpp>
#include <utility>

#include "base/random.hpp"
#include "passes/native/angle.hpp"
#include "passes/native/clifford_rows.hpp"
#include "passes/native/measurements.hpp"
#include "passes/native/miter.hpp"
#include "passes/native/pauli_program.hpp"
#include "passes/native/unroll.hpp"

namespace skerry {
namespace passes::native {
namespace {

using Answer = Equivalence::Answer;
constexpr std::uint32_t kMostDense = 14;
constexpr std::size_t kMostRotations = 20000;
constexpr int kStates = 3;
// States are normalised; rounding of some thousand gates stays far below, a rotation by 1e-4 above.
constexpr double kTolerance = 1e-9;

// One program on the wires of the wider, its measurements taken off.
struct Side {
  Flat flat;
  std::vector<std::pair<std::uint32_t, Wire>> bits;  ///< measured bit and the wire it is read from, sorted
};

Side side_of(Circuit& circuit, const std::string& name) {
  Side side{.flat = unroll(circuit)};
  for (const Other& other : take_last_measurements(side.flat)) {
    if (other.op == Op::measure) side.bits.emplace_back(other.aux, other.wires[0]);
  }
  std::ranges::sort(side.bits);
  FlatWriter kept(side.flat.wires);
  for (const Gate& gate : side.flat.gates) {
    if (gate.kind == Kind::other) {
      const Op op = side.flat.others[gate.index].op;
      if (op == Op::barrier || op == Op::delay) continue;
      throw Error(ErrorCode::unsupported, "a program with " + std::string(op_name(op)) + " has no one unitary", name,
                  "compare circuits of gates and measurements at the end");
    }
    kept.copy(side.flat, gate);
  }
  kept.finish_into(side.flat);
  return side;
}

// `to` of the wires of a program of gates.
Flat renamed(const Flat& flat, const std::vector<Wire>& to, std::uint32_t wires) {
  Flat out = flat;
  out.wires = wires;
  for (Gate& gate : out.gates) {
    gate.a = to[gate.a];
    gate.b = to[gate.b];
  }
  return out;
}

// b undone, then a.
Flat undone_then(const Flat& b, const Flat& a, ExprPool& pool) {
  FlatWriter out(a.wires);
  for (std::size_t i = b.gates.size(); i-- > 0;) {
    const Gate& gate = b.gates[i];
    switch (gate.kind) {
      case Kind::one:
        out.one(gate.a, adjoint(b.ones[gate.index]));
        break;
      case Kind::turn:
        out.turn(gate.a, scaled(pool, b.turns[gate.index], -1));
        break;
      case Kind::cx:
        out.cx(gate.a, gate.b);
        break;
      case Kind::swap:
        out.swap(gate.a, gate.b);
        break;
      case Kind::other:
        break;
    }
  }
  Flat copy = a;
  for (const Gate& gate : a.gates) out.copy(copy, gate);
  return out.finish();
}

std::vector<Complex> evolved(const Flat& flat, std::vector<Complex> state) {
  const auto wire_bit = [](Wire w) { return std::size_t{1} << w; };
  for (const Gate& gate : flat.gates) {
    const std::size_t a = wire_bit(gate.a), b = wire_bit(gate.b);
    for (std::size_t i = 0; i < state.size(); ++i) {
      if (gate.kind == Kind::one && (i & a) == 0) {
        const U2& u = flat.ones[gate.index];
        const Complex x = state[i], y = state[i | a];
        state[i] = times(u(0, 0), x) + times(u(0, 1), y);
        state[i | a] = times(u(1, 0), x) + times(u(1, 1), y);
      } else if (gate.kind == Kind::cx && (i & a) != 0 && (i & b) == 0) {
        std::swap(state[i], state[i | b]);
      } else if (gate.kind == Kind::swap && (i & a) != 0 && (i & b) == 0) {
        std::swap(state[i], state[i ^ a ^ b]);
      }
    }
  }
  return state;
}

class Comparison {
 public:
  Comparison(const Circuit& a, const Circuit& b, const Mapping* mapping) : first_(a), second_(b) {
    a_ = side_of(first_, "first program");
    b_ = side_of(second_, "second program");
    const std::uint32_t n = a.num_wires();
    wires_ = std::max(n, b.num_wires());
    std::vector<Wire> same(n);
    std::iota(same.begin(), same.end(), 0U);
    initial_ = mapping != nullptr ? mapping->initial : same;
    const std::vector<Wire> final = mapping != nullptr ? mapping->final : same;
    for (const std::vector<Wire>* map : {&std::as_const(initial_), &final}) {
      if (map->size() != n || std::ranges::any_of(*map, [&](Wire w) { return w >= wires_; })) {
        throw Error(ErrorCode::invalid_argument,
                    "the mapping does not say where each of the " + std::to_string(n) +
                        " wires of the first program lies on the second",
                    "mapping", "give the file that --layout wrote");
      }
    }
    if (mapping != nullptr) spent_ = mapping->spent_error;
    if (!(spent_ >= 0 && spent_ < 1)) {
      throw Error(ErrorCode::invalid_argument, "spent_error is " + std::to_string(spent_), "mapping",
                  "give an infidelity of at least 0 and below 1, as compiling tells it");
    }
    b_.flat.wires = wires_;
    for (Wire w = 0; w < n; ++w) {
      ends_a_.push_back(initial_[a_.flat.place(w)]);
      ends_b_.push_back(b_.flat.place(final[w]));
    }
    flat_a_ = renamed(a_.flat, initial_, wires_);
    leave_out_idle_wires();
  }

  Equivalence run() {
    std::vector<std::uint8_t> measured(ends_a_.size(), 0);
    if (a_.bits.size() != b_.bits.size()) return {Answer::different, "they measure different numbers of bits"};
    for (std::size_t i = 0; i < a_.bits.size(); ++i) {
      const Wire in_a = initial_[a_.bits[i].second];
      const auto at = std::ranges::find(ends_a_, in_a);
      if (a_.bits[i].first != b_.bits[i].first ||
          b_.bits[i].second != ends_b_[static_cast<std::size_t>(at - ends_a_.begin())]) {
        return {Answer::different, "bit " + std::to_string(a_.bits[i].first) + " reads another wire"};
      }
      measured[static_cast<std::size_t>(at - ends_a_.begin())] = 1;
    }
    const Flat between = undone_then(b_.flat, flat_a_, first_.expressions());
    if (const auto rows = clifford_rows(between)) {
      const std::optional<Wire> changed = first_changed(*rows, measured);
      if (!changed) return {Answer::equal, "one undoes the other: every Pauli operator comes back"};
      // Other wires begin in |0> and may hide a difference. Two Cliffords are far apart: at most half a process is
      // shared.
      constexpr double kMostSpent = 0.1;
      if (spent_ < kMostSpent && wires_ == ends_a_.size() && wires_ > kMostDense) {
        return {Answer::different, "eigenstates of X or Z on qubit " + std::to_string(*changed) +
                                       " before the last gate come out as others"};
      }
    } else if (proven(between, measured)) {
      return {Answer::equal, "one undoes the other: no Pauli rotation is left"};
    }
    const Undone left = undone(measured);
    if (left == Undone::nothing) return {Answer::equal, "one undoes the other, gate against gate" + declared()};
    if (left == Undone::something && wires_ > kMostDense) {
      return {Answer::different, "one undone by the other leaves a unitary that is not the identity"};
    }
    return sampled(measured);
  }

 private:
  // Wires of a device that nothing happens on and no wire of the program lies on.
  void leave_out_idle_wires() {
    std::vector<std::uint8_t> used(wires_, 0);
    for (const std::vector<Wire>* list : {&initial_, &ends_a_, &ends_b_}) {
      for (const Wire w : *list) used[w] = 1;
    }
    for (const Flat* flat : {&flat_a_, &b_.flat}) {
      for (const Gate& gate : flat->gates) used[gate.a] = used[gate.b] = 1;
    }
    std::vector<Wire> place(wires_, 0);
    Wire kept = 0;
    for (Wire w = 0; w < wires_; ++w) {
      place[w] = kept;
      kept += used[w];
    }
    for (std::vector<Wire>* list : {&initial_, &ends_a_, &ends_b_}) {
      for (Wire& w : *list) w = place[w];
    }
    for (auto& [bit, wire] : b_.bits) wire = place[wire];
    flat_a_ = renamed(flat_a_, place, kept);
    b_.flat = renamed(b_.flat, place, kept);
    wires_ = kept;
  }

  // The first wire of the program whose Z, or X where it is not measured, is another operator in b than in a.
  std::optional<Wire> first_changed(const CliffordRows& rows, const std::vector<std::uint8_t>& measured) const {
    for (Wire w = 0; w < ends_a_.size(); ++w) {
      if (rows.z[ends_a_[w]] != pauli_z_row(wires_, ends_b_[w])) return w;
      if (measured[w] == 0 && rows.x[ends_a_[w]] != pauli_x_row(wires_, ends_b_[w])) return w;
    }
    return std::nullopt;
  }

  bool proven(const Flat& between, const std::vector<std::uint8_t>& measured) {
    const auto program = pauli_program(between, first_.expressions(), kMostRotations);
    if (!program) return false;
    const bool all = std::ranges::all_of(measured, [](std::uint8_t m) { return m != 0; });
    for (const PauliRotation& r : program->rotations) {
      if (!all || r.x != 0) return false;  // what is diagonal changes no outcome
    }
    for (std::size_t w = 0; w < ends_a_.size(); ++w) {
      const Pauli &z = program->z_rows[ends_a_[w]], &x = program->x_rows[ends_a_[w]];
      const std::uint64_t bit = std::uint64_t{1} << ends_b_[w];
      if (z.x != 0 || z.z != bit || z.is_negative()) return false;
      if (measured[w] == 0 && (x.z != 0 || x.x != bit || x.is_negative())) return false;
    }
    return true;
  }

  std::string declared() const {
    return spent_ > 0 ? ", but for the infidelity of " + short_text(spent_) + " that is declared" : std::string();
  }
  static std::string short_text(double value) {
    std::array<char, 32> text{};
    std::snprintf(text.data(), text.size(), "%.1e", value);
    return text.data();
  }

  Undone undone(const std::vector<std::uint8_t>& measured) const {
    std::vector<MiterWire> wires;
    for (std::size_t w = 0; w < ends_a_.size(); ++w) wires.push_back({ends_a_[w], ends_b_[w], measured[w] != 0});
    return undo(flat_a_, b_.flat, wires, spent_);
  }

  Equivalence sampled(const std::vector<std::uint8_t>& measured) const {
    if (wires_ > kMostDense) {
      return {Answer::unknown,
              "no proof was found, and " + std::to_string(wires_) + " wires are too many to try states"};
    }
    if (!flat_a_.turns.empty() || !b_.flat.turns.empty()) {
      return {Answer::unknown, "no proof was found for symbolic angles; bind the parameters"};
    }
    base::Philox random(1);
    double most = 0;
    for (int round = 0; round < kStates; ++round) {
      std::vector<Complex> state(std::size_t{1} << wires_);
      state[0] = 1;
      for (const Wire w : initial_) {
        const double theta = 3.141592653589793 * random.uniform(), phi = 6.283185307179586 * random.uniform();
        for (std::size_t i = state.size(); i-- > 0;) {
          if (((i >> w) & 1) != 0) state[i] = times(state[i ^ (std::size_t{1} << w)], std::polar(std::sin(theta), phi));
        }
        for (std::size_t i = 0; i < state.size(); ++i) {
          if (((i >> w) & 1) == 0) state[i] *= std::cos(theta);
        }
      }
      const double difference = distance_of(evolved(flat_a_, state), evolved(b_.flat, state), measured);
      most = std::max(most, difference);
      // What is declared is a mean over states.
      constexpr double kOverMean = 4;
      if (difference > kTolerance + kOverMean * spent_) {
        return {Answer::different,
                "product state " + std::to_string(round) + " of seed 1 comes out " + short_text(difference) + " apart"};
      }
    }
    return {Answer::equal, std::to_string(kStates) + " random product states come out the same" + declared()};
  }

  // 1 - the overlap, in which every outcome of the measured wires may have a phase of its own.
  double distance_of(const std::vector<Complex>& a, const std::vector<Complex>& b,
                     const std::vector<std::uint8_t>& measured) const {
    const std::size_t n = ends_a_.size();
    std::map<std::size_t, Complex> overlaps;
    for (std::size_t i = 0; i < (std::size_t{1} << n); ++i) {
      std::size_t in_a = 0, in_b = 0, outcome = 0;
      for (std::size_t w = 0; w < n; ++w) {
        const std::size_t bit = (i >> w) & 1;
        in_a |= bit << ends_a_[w];
        in_b |= bit << ends_b_[w];
        if (measured[w] != 0) outcome |= bit << w;
      }
      overlaps[outcome] += times(std::conj(a[in_a]), b[in_b]);
    }
    double sum = 0;
    for (const auto& [outcome, overlap] : overlaps) sum += std::abs(overlap);
    return 1 - sum;
  }

  Circuit first_, second_;
  Side a_, b_;
  Flat flat_a_;
  std::uint32_t wires_ = 0;
  double spent_ = 0;  ///< infidelity that b may have left out
  std::vector<Wire> initial_, ends_a_, ends_b_;
};

}  // namespace
}  // namespace passes::native

std::string_view answer_name(Equivalence::Answer answer) noexcept {
  switch (answer) {
    case Equivalence::Answer::equal:
      return "equal";
    case Equivalence::Answer::different:
      return "different";
    case Equivalence::Answer::unknown:
      break;
  }
  return "unknown";
}

Equivalence verify_equal(const Circuit& a, const Circuit& b, const Mapping* mapping) {
  return passes::native::Comparison(a, b, mapping).run();
}

}  // namespace skerry
