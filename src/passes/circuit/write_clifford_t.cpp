#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <numbers>

#include "passes/native/angle.hpp"
#include "passes/pass.hpp"

namespace skerry::passes {
namespace {

constexpr double kPi = std::numbers::pi;
using Wires = std::span<const Wire>;

// Phases on two and three wires become CX and phases on one: seven T for a Toffoli gate.
class Expander {
 public:
  explicit Expander(Circuit& circuit) : circuit_(circuit) {}

  void block(BlockId id) {
    const Block& from = circuit_.blocks()[id];
    into_ = {};
    into_.reserve(from.size(), 2 * from.size(), from.size());
    for (std::size_t i = 0; i < from.size(); ++i) {
      if (!gate(from[i])) into_.append(from[i]);
    }
    circuit_.replace_block(id, std::move(into_));
  }

 private:
  bool gate(const Instruction& at) {
    const std::vector<Wire> wires(at.wires.begin(), at.wires.end());
    if (!is_gate(at.op) || at.controls == 0) return false;
    switch (at.op) {  // NOLINT(clang-diagnostic-switch-enum): those that are phases up to their target's basis
      case Op::x:
        if (at.controls == 1 || !can_flip(wires)) return false;
        flip(wires);
        return true;
      case Op::y:
        if (at.controls == 1 || !can_flip(wires)) return false;
        one(Op::sdg, wires.back());
        flip(wires);
        one(Op::s, wires.back());
        return true;
      case Op::swap: {
        if (at.controls != 1) return false;
        cx(wires[2], wires[1]);
        flip(wires);
        cx(wires[2], wires[1]);
        return true;
      }
      case Op::z:
        if (at.controls == 1 || !can_flip(wires)) return false;
        one(Op::h, wires.back());
        flip(wires);
        one(Op::h, wires.back());
        return true;
      case Op::s:
        return phase(wires, {kPi / 2});
      case Op::sdg:
        return phase(wires, {-kPi / 2});
      case Op::t:
        return phase(wires, {kPi / 4});
      case Op::tdg:
        return phase(wires, {-kPi / 4});
      case Op::p:
        return phase(wires, at.params[0]);
      case Op::rz:
        if (!phase(wires, at.params[0])) return false;
        return phase(Wires(wires).first(at.controls), native::scaled(circuit_.expressions(), at.params[0], -0.5));
      default:
        return false;
    }
  }

  // Wires that a ladder over these needs, as many as there are.
  std::vector<Wire> free_wires(Wires wires) const {
    std::vector<Wire> free;
    for (Wire w = 0; w < circuit_.num_wires() && free.size() + 3 < wires.size(); ++w) {
      if (std::ranges::find(wires, w) == wires.end()) free.push_back(w);
    }
    return free;
  }
  bool can_flip(Wires wires) const { return wires.size() <= 3 || free_wires(wires).size() + 3 >= wires.size(); }

  // X on the last wire where all others are 1.
  void flip(Wires wires) {  // NOLINT(misc-no-recursion): a ladder has rungs of three wires
    if (wires.size() == 2) return cx(wires[0], wires[1]);
    if (wires.size() > 3) return ladder(wires);
    one(Op::h, wires.back());
    phase(wires, {kPi});
    one(Op::h, wires.back());
  }

  // Barenco et al., lemma 7.2: over k - 2 wires that are free, in whatever state they are.
  void ladder(Wires wires) {  // NOLINT(misc-no-recursion): as above
    const std::size_t k = wires.size() - 1;
    const std::vector<Wire> free = free_wires(wires);
    const auto rung = [&](std::size_t i) {
      flip(std::array{wires[i + 2], free[i], i + 3 == k ? wires[k] : free[i + 1]});
    };
    for (const std::size_t top : {k - 2, k - 3}) {
      for (std::size_t i = top; i-- > 0;) rung(i);
      flip(std::array{wires[0], wires[1], free[0]});
      for (std::size_t i = 0; i < top; ++i) rung(i);
    }
  }

  // exp(i angle x1 x2 ... xm): the sum over sets S of (-1)^(|S|+1) times the parity of S, over 2^(m-1).
  bool phase(Wires wires, const Param& angle) {
    if (wires.size() > 3) return false;
    ExprPool& pool = circuit_.expressions();
    if (!angle.is_constant() && !pool.is_static(angle.expr)) return false;
    const double share = std::ldexp(1.0, 1 - static_cast<int>(wires.size()));
    for (std::size_t top = wires.size(); top > 0; --top) {
      std::size_t set = 0;
      for (std::size_t step = 0; step < (std::size_t{1} << (top - 1)); ++step) {
        turn(wires[top - 1], native::scaled(pool, angle, std::popcount(set) % 2 == 0 ? share : -share));
        if (top == 1) break;
        const auto bit = std::min(static_cast<std::size_t>(std::countr_one(step)), top - 2);
        set ^= std::size_t{1} << bit;
        cx(wires[bit], wires[top - 1]);
      }
    }
    return true;
  }

  void turn(Wire wire, const Param& angle) {
    if (angle.is_constant() && std::abs(angle.value - kPi / 4) < 1e-15) return one(Op::t, wire);
    if (angle.is_constant() && std::abs(angle.value + kPi / 4) < 1e-15) return one(Op::tdg, wire);
    into_.append(Op::p, std::array{wire}, std::array{angle});
  }
  void one(Op op, Wire wire) { into_.append(op, std::array{wire}); }
  void cx(Wire control, Wire target) { into_.append(Op::x, std::array{control, target}, {}, 1); }

  Circuit& circuit_;
  Block into_;
};

Circuit write_clifford_t(const Circuit& circuit) {
  Circuit out = circuit;
  Expander expander(out);
  for (BlockId id = 0; id < out.blocks().size(); ++id) expander.block(id);
  return out;
}

}  // namespace

extern const CircuitPass write_clifford_t_pass;
const CircuitPass write_clifford_t_pass = {
    .name = "write_clifford_t",
    .help = "Writes controlled phases, Toffoli and Fredkin gates as CX, H and phases, for counting T gates.",
    .run = write_clifford_t,
};

}  // namespace skerry::passes
