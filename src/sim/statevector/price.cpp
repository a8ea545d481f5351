#include "sim/statevector/price.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

#include "base/machine.hpp"

namespace skerry::sim {
namespace {

/// Rounds of a loop whose end is not known beforehand.
constexpr double kGuessedRounds = 4.0;

// Prices in units of one action on a tile: measured with complex64 on AVX-512.
constexpr double kStepCost = 3.0;     ///< a tile loaded and stored again
constexpr double kPhaseCost = 2.8;    ///< a diagonal
constexpr double kLaneCost = 1.7;     ///< an action that moves lanes
constexpr double kAnyCost = 15.0;     ///< a controlled or two-target gate
constexpr double kAloneCost = 8.0;    ///< a gate by itself on a small state
constexpr double kStringCost = 5.0;   ///< a Pauli string, per amplitude
constexpr double kLookCost = 50.0;    ///< a probability, added to a table
constexpr double kSolveCost = 110.0;  ///< a measurement: probabilities and collapse
/// An action on a tile in registers, in units of a one-target gate on amplitudes in the cache.
constexpr double kActionShare = 0.13;
/// An amplitude brought into a block and back, in units of a one-target gate's, in the cache and from memory.
constexpr double kCachedMove = 2.0, kMemoryMove = 1.4;
/// Numbers of a gate made ready, in units of a dispatched gate.
constexpr double kBindCost = 1.9;

/// What runs do to a state.
struct Passes {
  double moved = 0.0;    ///< amplitudes brought into a block and back
  double actions = 0.0;  ///< amplitudes times actions on their tile
  double gates = 0.0;

  Passes& operator+=(const Passes& o) {
    moved += o.moved;
    actions += o.actions;
    gates += o.gates;
    return *this;
  }
  friend Passes operator*(double k, Passes p) { return {k * p.moved, k * p.actions, k * p.gates}; }
};

/// Actions of one step on each tile.
double step_actions(const SweepPlan& plan, const ItemPlan& item, const StepPlan& step) {
  double actions = kStepCost;
  std::uint64_t pending = 0;
  for (const std::uint32_t i : step.pieces) {
    const LocalPiece& piece = item.pieces[i];
    if (piece.kind == PieceKind::factor) {
      pending |= piece.z;
      continue;
    }
    if ((pending & piece.x) != 0) {
      actions += kPhaseCost;
      pending = 0;
    }
    const bool is_any = piece.kind == PieceKind::controlled || piece.kind == PieceKind::quad;
    actions += is_any ? kAnyCost : piece.target < plan.shape.lane_bits ? kLaneCost : 1.0;
  }
  return actions + (pending != 0 ? kPhaseCost : 0.0);
}

/// Work of a segment; zero_wires: known to be in |0>, as in Walk.
Passes segment_passes(const Segment& segment, std::uint64_t& zero_wires) {
  const SweepPlan& plan = segment.plan;
  Passes passes;
  passes.gates = kBindCost * static_cast<double>(segment.gates.size());
  for (const ItemPlan& item : plan.items) {
    std::uint64_t local = 0;
    for (const std::uint8_t wire : item.local) local |= std::uint64_t{1} << wire;
    const double size = std::exp2(plan.wires);
    if (item.is_whole) {
      const bool is_alone = plan.pieces.empty();
      passes += is_alone ? Passes{0, kAloneCost * size, 1} : Passes{size, kAnyCost * size, 1};
    } else {
      const double tile = std::exp2(plan.shape.bits());
      const double amplitudes = std::max(std::ldexp(size, -std::popcount(zero_wires & ~local)), tile);
      passes.moved += amplitudes;
      for (const StepPlan& step : item.steps) passes.actions += amplitudes * step_actions(plan, item, step);
    }
    zero_wires &= ~item.wires;
  }
  return passes;
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
Course course(const Request& request) {
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
  std::uint64_t zero_wires = request.initial_state ? 0 : (std::uint64_t{1} << code.wires) - 1;
  auto segment = request.segments.begin();
  for (std::uint32_t i = request.first_step; i < code.tail; ++i) {
    const Step& step = code.steps[i];
    Passes passes;
    if (segment != request.segments.end() && segment->begin == i) passes = segment_passes(*segment++, zero_wires);
    // A pass to read, one to collapse, and perhaps a copy for the part that waits.
    const bool is_random = step.kind == StepKind::measure || step.kind == StepKind::reset;
    if (is_random) passes = {2 * size, kSolveCost * size, 1};
    out.passes += rounds[i] * trajectories(request, random_steps) * passes;
    if (is_random) random_steps += rounds[i];
  }
  out.leaves = trajectories(request, random_steps);
  return out;
}

void add_answers(const Request& request, double leaves, Passes& passes, std::vector<kernels::Work>& work) {
  const double size = std::exp2(request.code.wires);
  for (const Observable& observable : request.observables) {
    const auto terms = static_cast<double>(observable.terms().size());
    passes += leaves * Passes{size * std::ceil(terms / 32), kStringCost * size * terms, 1};
  }
  if (request.distribution != Distribution::none) passes += leaves * Passes{size, kLookCost * size, 1};
  if (!request.samples()) return;
  if (!request.tail_positions.empty()) passes += leaves * Passes{0.5 * size, kLookCost * size, 1};
  // Shots of few states are counted by state, not one by one.
  const double share = size * 2 <= static_cast<double>(request.shots) ? 0.6 : 1.0;
  work.push_back({kernels::Rate::draw, share * static_cast<double>(request.shots)});
}

/// How much of a sweep goes to memory: nothing while the state fits in the second-level caches of the threads, all when
/// it is larger than the last-level one.
double memory_share(const Request& request) {
  constexpr double usual_l2 = 1 << 20;
  const base::Machine& machine = base::machine();
  const double l2 = (machine.l2_bytes != 0 ? static_cast<double>(machine.l2_bytes) : usual_l2) * request.threads;
  // A last-level cache is shared with whoever else runs there: more than this was never of use.
  constexpr double most_l3 = 32 << 20;
  const double last = std::max(std::min(static_cast<double>(machine.l3_bytes), most_l3), 2 * l2);
  const double share = std::clamp((static_cast<double>(request.state_bytes()) - l2) / (last - l2), 0.0, 1.0);
  return share * share;
}

}  // namespace

std::vector<kernels::Work> price(const Request& request) {
  auto [passes, leaves] = course(request);
  std::vector<kernels::Work> work;
  add_answers(request, leaves, passes, work);
  // Rates are those of all threads; a state of one block keeps one of them busy.
  const double idle = static_cast<double>(request.threads) / request.scratch_threads();
  const bool single = request.precision == Precision::single_precision;
  const double share = memory_share(request);
  const auto cached = single ? kernels::Rate::amplitude_single_cached : kernels::Rate::amplitude_double_cached;
  const auto memory = single ? kernels::Rate::amplitude_single : kernels::Rate::amplitude_double;
  work.push_back({cached, idle * (kActionShare * passes.actions + kCachedMove * (1 - share) * passes.moved)});
  work.push_back({memory, kMemoryMove * share * passes.moved});
  // What every run takes, however small, and each of its gates.
  constexpr double any_run = 16;
  work.push_back({kernels::Rate::gate, any_run + passes.gates});
  // What is small comes out of memory that the process has touched before.
  constexpr double touched_before = 1 << 20;
  const auto peak = static_cast<double>(request.peak_bytes());
  if (peak > touched_before) work.push_back({kernels::Rate::first_touch, peak});
  // On disk, each pass brings every page in and gives it back.
  for (const Segment& segment : request.segments) {
    const auto moved = 2.0 * static_cast<double>(segment.passes.size()) * static_cast<double>(request.state_bytes());
    work.push_back({kernels::Rate::first_touch, moved});
  }
  return work;
}

}  // namespace skerry::sim
