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

/// A cached update costs about this share of one from memory; tells which of the two bounds a gate.
constexpr double kCachedShare = 0.5;

/// Amplitudes updated, in units of what a one-target gate does to one of them.
struct Passes {
  double arithmetic = 0.0;  ///< of all gates
  double bound = 0.0;       ///< of those whose arithmetic takes longer than their memory
  double moved = 0.0;       ///< amplitudes in the cache lines that the other gates move
  double gates = 0.0;

  static Passes gate(double arithmetic, double moved) {
    const bool is_bound = kCachedShare * arithmetic > moved;
    return {arithmetic, is_bound ? arithmetic : 0, is_bound ? 0 : moved, 1};
  }
  Passes& operator+=(const Passes& o) {
    arithmetic += o.arithmetic;
    bound += o.bound;
    moved += o.moved;
    gates += o.gates;
    return *this;
  }
  friend Passes operator*(double k, Passes p) { return {k * p.arithmetic, k * p.bound, k * p.moved, k * p.gates}; }
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

/// Arithmetic of one written amplitude, in units of a one-target gate's: measured on rx, cz, cx, rzz and rxx.
double arithmetic_of(const kernels::Footprint& foot) {
  if (foot.action != kernels::Action::dense) return 0.5;
  return foot.terms <= 2 ? 1.0 : 0.75 * static_cast<double>(foot.terms);
}

Passes gate_passes(const Circuit& circuit, const Request& request, const Instruction& instruction) {
  const kernels::Footprint foot = footprint_of(circuit, instruction);
  const auto targets = static_cast<double>(instruction.targets().size());
  const double groups = std::exp2(request.code.wires - targets - instruction.controls);
  const double written = groups * static_cast<double>(foot.written);
  // A line moves as a whole, whichever of its amplitudes are meant.
  const auto is_low = [&](Wire wire) {
    const double bytes = std::exp2(request.code.positions[wire]) * static_cast<double>(request.amplitude_bytes());
    return bytes < kLineBytes;
  };
  double moved = written;
  if (std::ranges::any_of(instruction.targets(), is_low) && foot.written != 0) moved = groups * std::exp2(targets);
  for (const Wire wire : instruction.control_wires()) moved *= is_low(wire) ? 2 : 1;
  // Leaving lines out keeps the prefetcher from running ahead: measured on the controlled phases of a QFT.
  constexpr double gaps = 1.6;
  const double all = std::exp2(request.code.wires);
  if (moved < all) moved = std::min(gaps * moved, all);
  return Passes::gate(written * arithmetic_of(foot), moved);
}

/// Trajectories that have come to be after some measurements and resets: each may double them.
double trajectories(const Request& request, double random_steps) {
  // Exact answers visit every trajectory, of which a loop has many.
  constexpr double most_exact = 20;
  if (!request.samples()) return std::exp2(std::min(random_steps, most_exact));
  return std::min(std::exp2(std::min(random_steps, 62.0)), static_cast<double>(request.shots));
}

/// Work of the steps before the tail, each as often as it is thought to run, and how many trajectories reach the tail.
struct Course {
  Passes passes;
  double leaves = 1.0;
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
  double random_steps = 0;
  const double size = std::exp2(code.wires);
  for (std::uint32_t i = 0; i < code.tail; ++i) {
    const Step& step = code.steps[i];
    Passes passes;
    if (step.kind == StepKind::gate) passes = gate_passes(circuit, request, circuit.blocks()[step.b][step.a]);
    // A pass to read, one to collapse, and perhaps a copy for the part that waits.
    const bool is_random = step.kind == StepKind::measure || step.kind == StepKind::reset;
    if (is_random) passes = Passes::gate(2 * size, 2 * size);
    out.passes += rounds[i] * trajectories(request, random_steps) * passes;
    if (is_random) random_steps += rounds[i];
  }
  out.leaves = trajectories(request, random_steps);
  return out;
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
    passes += leaves * Passes::gate(size * (distinct + 0.25 * terms), size * distinct);
  }
  if (request.distribution != Distribution::none) passes += leaves * Passes::gate(2 * size, 2 * size);
  if (!request.samples()) return;
  if (!request.tail_positions.empty()) passes += leaves * Passes::gate(2 * size, 0.5 * size);
  // A small state has less to search.
  const double search = std::min(size / 64.0, 1.0);
  work.push_back({kernels::Rate::draw, static_cast<double>(request.shots) * (0.35 + 0.65 * search)});
}

/// How much of a sweep goes to memory: nothing while the state fits in the second-level caches of the threads, all when
/// it is larger than the last-level one. In between the square fits best what was measured at 2 to 32 MiB.
double memory_share(const Request& request) {
  constexpr double usual_l2 = 1 << 20;
  const base::Machine& machine = base::machine();
  const double l2 = (machine.l2_bytes != 0 ? static_cast<double>(machine.l2_bytes) : usual_l2) * base::thread_budget();
  // A last-level cache is shared with whoever else runs there: more than this was never of use.
  constexpr double most_l3 = 32 << 20;
  const double last = std::max(std::min(static_cast<double>(machine.l3_bytes), most_l3), 2 * l2);
  const double share = std::clamp((static_cast<double>(request.state_bytes()) - l2) / (last - l2), 0.0, 1.0);
  return share * share;
}

}  // namespace

std::vector<kernels::Work> price(const Circuit& circuit, const Request& request) {
  auto [passes, leaves] = course(circuit, request);
  std::vector<kernels::Work> work;
  add_answers(request, leaves, passes, work);
  const bool single = request.precision == Precision::single_precision;
  const double share = memory_share(request);
  work.push_back({single ? kernels::Rate::amplitude_single_cached : kernels::Rate::amplitude_double_cached,
                  (1 - share) * passes.arithmetic + share * passes.bound});
  work.push_back({single ? kernels::Rate::amplitude_single : kernels::Rate::amplitude_double, share * passes.moved});
  work.push_back({kernels::Rate::gate, passes.gates});
  work.push_back({kernels::Rate::first_touch, static_cast<double>(request.peak_bytes())});
  return work;
}

}  // namespace skerry::sim
