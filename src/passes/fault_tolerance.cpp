#include <algorithm>
#include <cmath>
#include <numbers>
#include <skerry/error.hpp>
#include <skerry/fault_tolerance.hpp>
#include <string>

#include "ir/circuit/uses.hpp"
#include "ops/qubit/gate_record.hpp"

namespace skerry {
namespace {

// Litinski, section 3: 15-to-1 on 11 tiles in 11 steps; 225-to-1 on 176 tiles in 15 steps.
struct Factory {
  std::uint64_t tiles, steps;
  double error;
};

Factory factory_for(double p, double most_error) {
  const double one = 35 * p * p * p;
  if (one <= most_error) return {11, 11, one};
  return {176, 15, 35 * one * one * one};
}

// Half quarter turns (multiples of pi/4) of an angle, -1 for what is none.
int eighths(const Param& angle) {
  if (!angle.is_constant() || std::abs(angle.value) > 1e6) return -1;
  const double turns = angle.value / (std::numbers::pi / 4);
  if (std::abs(turns - std::round(turns)) > 1e-9) return -1;
  return static_cast<int>(((std::llround(turns) % 8) + 8) % 8);
}

bool is_clifford_with_one_control(Op op) {
  return op == Op::x || op == Op::y || op == Op::z || op == Op::id;
}

void count_gate(const Instruction& at, NonClifford& into) {
  const bool is_turn = at.params.size() == 1 && (at.op == Op::p || !ops::gate_record(at.op).generator.empty());
  if (at.controls == 0) {
    if (at.op == Op::t || at.op == Op::tdg) {
      ++into.t;
    } else if (is_turn) {
      const int k = eighths(at.params[0]);
      into.t += k > 0 && k % 2 == 1 ? 1 : 0;
      into.rotations += k < 0 ? 1 : 0;
    } else if (at.op != Op::gphase && !at.params.empty()) {
      into.rotations += 3;
    }
    return;
  }
  const bool is_toffoli = at.controls == 2 && (at.op == Op::x || at.op == Op::y || at.op == Op::z);
  if (is_toffoli || (at.controls == 1 && at.op == Op::swap)) {
    into.t += 7;
  } else if (!(at.controls == 1 && is_clifford_with_one_control(at.op))) {
    into.rotations += 3;
  }
}

}  // namespace

NonClifford count_non_clifford(const Circuit& circuit) {
  NonClifford count;
  for (const Block& block : circuit.blocks()) {
    for (std::size_t i = 0; i < block.size(); ++i) {
      if (!is_gate(block[i].op)) continue;
      if (block[i].op == Op::unitary) {
        count.rotations += 3;
      } else {
        count_gate(block[i], count);
      }
    }
  }
  return count;
}

SurfaceCode estimate_surface_code(const Circuit& circuit, const SurfaceCodeOptions& options) {
  const auto inside = [](double value, double least, double most, const char* name) {
    if (value > least && value < most) return;
    throw Error(ErrorCode::invalid_argument, std::string(name) + " is " + std::to_string(value), {},
                "give a number between " + std::to_string(least) + " and " + std::to_string(most));
  };
  inside(options.physical_error, 0, 0.01, "the physical error");
  inside(options.error_budget, 0, 1, "the error budget");
  inside(options.cycle_seconds, 0, 1e9, "the time of a cycle");
  const NonClifford count = count_non_clifford(circuit);
  const auto used = ir::used_wires(circuit);
  const auto wires = static_cast<double>(std::ranges::count(used, 1));
  // A third of the budget each for rotations written in T, for bad T states, and for the code.
  const double third = options.error_budget / 3;
  SurfaceCode out;
  out.t_states = count.t;
  if (count.rotations > 0) {
    const double each = third / static_cast<double>(count.rotations);
    out.t_states += count.rotations * static_cast<std::uint64_t>(std::ceil(3 * std::log2(1 / each)));
    out.error += third;
  }
  const auto states = static_cast<double>(out.t_states);
  const Factory factory = factory_for(options.physical_error, third / std::max(1.0, states));
  out.tiles = static_cast<std::uint64_t>(std::ceil(2 * wires + std::sqrt(8 * wires) + 1)) +
              (out.t_states == 0 ? 0 : factory.tiles);
  const double steps = std::max(1.0, states * static_cast<double>(factory.steps));
  for (out.distance = 3; out.distance <= 101; out.distance += 2) {
    const double each = 0.1 * std::pow(100 * options.physical_error, (out.distance + 1) / 2.0);
    const double code = static_cast<double>(out.tiles) * steps * out.distance * each;
    if (code > third || states * factory.error > third) continue;
    out.error += code + states * factory.error;
    out.physical_qubits = out.tiles * 2 * out.distance * out.distance;
    out.seconds = steps * out.distance * options.cycle_seconds;
    return out;
  }
  throw Error(ErrorCode::limit_exceeded, "no distance up to 101 keeps the error within the budget", {},
              "a smaller circuit, a larger error budget or better physical gates");
}

}  // namespace skerry
