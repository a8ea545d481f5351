#include "sim/statevector/price.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>

#include "base/machine.hpp"
#include "base/threads.hpp"
#include "kernels/statevec/gate.hpp"
#include "ops/qubit/gate_record.hpp"

namespace skerry::sim {
namespace {

constexpr double kLineBytes = 64.0;
/// Rounds of a loop whose end is not known beforehand.
constexpr double kGuessedRounds = 4.0;

/// Amplitudes updated, in units of what a one-target gate does to one of them.
struct Passes {
  double cached = 0.0;  ///< arithmetic
  double memory = 0.0;  ///< amplitudes in the cache lines that are moved
  double gates = 0.0;
  Passes& operator+=(const Passes& o) {
    cached += o.cached;
    memory += o.memory;
    gates += o.gates;
    return *this;
  }
  friend Passes operator*(double k, Passes p) { return {k * p.cached, k * p.memory, k * p.gates}; }
};

/// Footprint of a gate; symbolic parameters count as any angle that makes no entry vanish.
kernels::Footprint footprint_of(const Circuit& circuit, const Instruction& instruction) {
  const std::size_t rows = std::size_t{1} << instruction.targets().size();
  if (instruction.op == Op::unitary) return kernels::footprint(circuit.matrices()[instruction.aux].values, rows);
  std::array<double, 3> params = {0.3, 0.5, 0.7};
  for (std::size_t i = 0; i < instruction.params.size(); ++i)
    if (instruction.params[i].is_constant()) params[i] = instruction.params[i].value;
  std::array<std::complex<double>, 16> matrix;
  const std::span entries = std::span(matrix).first(rows * rows);
  ops::gate_record(instruction.op).matrix(std::span(params).first(instruction.params.size()), entries);
  return kernels::footprint(entries, rows);
}

Passes gate_passes(const Circuit& circuit, const Request& request, const Instruction& instruction) {
  const kernels::Footprint foot = footprint_of(circuit, instruction);
  const auto targets = static_cast<double>(instruction.targets().size());
  const double groups = std::exp2(request.code.wires - targets - instruction.controls);
  const double written = groups * static_cast<double>(foot.written);
  Passes passes;
  passes.gates = 1;
  passes.cached = written * (foot.action == kernels::Action::dense ? static_cast<double>(foot.terms) / 2 : 0.5);
  // A line moves as a whole, whichever of its amplitudes are meant.
  const auto line_wires =
      static_cast<std::uint32_t>(std::log2(kLineBytes / static_cast<double>(request.amplitude_bytes())));
  double moved = written;
  for (const Wire wire : instruction.control_wires()) moved *= request.code.positions[wire] < line_wires ? 2 : 1;
  const bool partial = static_cast<double>(foot.written) < std::exp2(targets) && foot.written != 0;
  const bool low =
      std::ranges::any_of(instruction.targets(), [&](Wire wire) { return request.code.positions[wire] < line_wires; });
  if (partial && low)
    moved = std::min(moved * std::exp2(targets) / static_cast<double>(foot.written), groups * std::exp2(targets));
  passes.memory = moved;
  return passes;
}

/// Passes of the code before and after the first measurement, each step as often as it is thought to run.
struct Course {
  Passes shared, parted;
};
Course course(const Circuit& circuit, const Request& request) {
  const Code& code = request.code;
  std::vector<double> rounds(code.tail + 1, 1.0);
  for (std::uint32_t i = 0; i < code.tail; ++i) {
    const Step& step = code.steps[i];
    if (step.kind != StepKind::jump || step.a > i) continue;
    for (std::uint32_t j = step.a; j <= i; ++j) rounds[j] *= kGuessedRounds;
  }
  Course out;
  bool has_parted = false;
  const double size = std::exp2(code.wires);
  for (std::uint32_t i = 0; i < code.tail; ++i) {
    const Step& step = code.steps[i];
    Passes passes;
    if (step.kind == StepKind::gate) passes = gate_passes(circuit, request, circuit.blocks()[step.b][step.a]);
    // Two passes, one to read and one to collapse, and the copy for the part that waits.
    if (step.kind == StepKind::measure || step.kind == StepKind::reset) {
      passes = {2.5 * size, 2.5 * size, 2};
      has_parted = true;
    }
    (has_parted ? out.parted : out.shared) += rounds[i] * passes;
  }
  return out;
}

double trajectories(const Request& request) {
  const std::uint32_t random = request.code.has_loop ? 62 : std::min<std::uint32_t>(request.code.random_steps, 62);
  // Exact answers visit every trajectory, of which a loop has many.
  const double all = std::exp2(std::min<std::uint32_t>(random, request.samples() ? 62 : 20));
  return request.samples() ? std::min(all, static_cast<double>(request.shots)) : all;
}

void add_answers(const Request& request, double leaves, Passes& passes, std::vector<kernels::Work>& work) {
  const double size = std::exp2(request.code.wires);
  for (const Observable& observable : request.observables) {
    std::vector<std::vector<std::uint64_t>> masks;
    for (const PauliTerm& term : observable.terms()) masks.push_back(term.x);
    std::ranges::sort(masks);
    const auto repeated = std::ranges::unique(masks);
    const auto distinct = static_cast<double>(masks.size() - repeated.size());
    const auto terms = static_cast<double>(observable.terms().size());
    passes += leaves * Passes{size * (distinct + 0.25 * terms), size * distinct, distinct};
  }
  if (request.distribution != Distribution::none) passes += leaves * Passes{2 * size, 2 * size, 1};
  if (!request.samples()) return;
  if (!request.tail_positions.empty()) passes += leaves * Passes{size, 0.5 * size, 1};
  work.push_back({kernels::Rate::draw, static_cast<double>(request.shots)});
}

}  // namespace

std::vector<kernels::Work> price(const Circuit& circuit, const Request& request) {
  const Course along = course(circuit, request);
  const double leaves = request.code.random_steps == 0 ? 1.0 : trajectories(request);
  Passes passes = along.shared;
  passes += leaves * along.parted;
  std::vector<kernels::Work> work;
  add_answers(request, leaves, passes, work);
  const bool single = request.precision == Precision::single_precision;
  const auto cache = static_cast<double>(base::machine().l2_bytes);
  if (static_cast<double>(request.state_bytes()) <= std::max(cache, 262144.0)) {
    work.push_back(
        {single ? kernels::Rate::amplitude_single_cached : kernels::Rate::amplitude_double_cached, passes.cached});
  } else {
    // Memory or arithmetic, whichever is slower; a cached update is taken to cost half of one from memory.
    work.push_back({single ? kernels::Rate::amplitude_single : kernels::Rate::amplitude_double,
                    std::max(passes.memory, 0.5 * passes.cached)});
  }
  work.push_back({kernels::Rate::gate, passes.gates});
  work.push_back({kernels::Rate::first_touch, static_cast<double>(request.peak_bytes())});
  return work;
}

}  // namespace skerry::sim
