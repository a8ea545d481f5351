/// \file
/// A run of gates planned as sweeps: which wires each makes local, which steps it has; then, with numbers, applied.
///
///     SweepPlan plan = plan_sweeps(gates, wires, Precision::single_precision);   // once per circuit
///     BoundSweeps<float> sweeps(plan, gates, value);                             // once per set of parameters
///     kernels::SweepScratch<float> scratch(sweeps.scratch_size(), threads, budget);
///     sweeps.apply(state, zero_wires, scratch, control);                         // any number of times, any states
///
/// The inverse is the plan of the same gates with Direction::inverse.
#pragma once

#include <cstdint>
#include <skerry/options.hpp>
#include <variant>
#include <vector>

#include "kernels/statevec/gate.hpp"
#include "kernels/statevec/sweep.hpp"
#include "sim/statevector/lower.hpp"

namespace skerry::sim {

/// A piece at the block bits of its sweep. A swap here is one that moves amplitudes, between a lane wire and another.
struct LocalPiece {
  PieceKind kind{};
  std::uint8_t target = 0, second = 0;  ///< block bits
  std::uint32_t piece = 0;              ///< in SweepPlan::pieces; none for a swap
  std::uint64_t x = 0, z = 0;           ///< block bits
  std::uint64_t outside = 0;            ///< wires of the state
};

struct StepPlan {
  std::array<std::uint8_t, 4> slots{};
  std::vector<std::uint8_t> loop_bits;
  std::vector<std::uint32_t> pieces;  ///< in ItemPlan::pieces
};

/// One sweep, or one gate that needs a pass of its own.
struct ItemPlan {
  bool is_whole = false;
  std::uint32_t whole_gate = 0;
  std::uint64_t wires = 0;  ///< that it may take out of |0>
  std::vector<std::uint8_t> local, stored_at;
  std::vector<LocalPiece> pieces;
  std::vector<std::uint32_t> outside;  ///< factors on outside wires alone, in SweepPlan::pieces
  std::vector<StepPlan> steps;
  std::size_t tables = 0;  ///< that the phases of one of its steps need at most
};

/// Everything that does not depend on parameters.
struct SweepPlan {
  int wires = 0;
  kernels::TileShape shape;
  std::vector<Piece> pieces;
  std::vector<ItemPlan> items;

  /// Numbers of scratch that a thread needs; at least what the sweeps with their numbers will.
  std::size_t scratch_size() const noexcept;
  /// Blocks of the sweep that has most: more threads are of no use.
  std::size_t blocks() const noexcept;
};

/// How many wires the blocks of a state have: as fit into a second-level cache, fewer where that leaves too few
/// blocks to share. Does not depend on the number of threads.
int block_wires(int wires, Precision precision);

/// block: wires per block, 0 for block_wires(). zero_wires: in |0> where the plan will mostly begin; what can be is
/// done before they are mixed. control is looked at before each sweep. Precondition: wires >= 1. Errors: those of
/// control.
SweepPlan plan_sweeps(const GateList& gates, int wires, Precision precision, int block = 0,
                      std::uint64_t zero_wires = 0, const RunControl& control = {});

/// Items [begin, end) of a plan that only mix the wires of a window: done for one value of the others after the other.
struct WindowPass {
  std::uint64_t window = 0;
  std::size_t begin = 0, end = 0;
};
/// A plan in passes over windows of so many wires, the lowest of them always among them, for a state that is brought in
/// window by window from where whole stretches are cheaper than single amplitudes. A gate that no sweep does has a pass
/// of its own, in a window of all wires.
struct WindowedPlan {
  SweepPlan sweeps;
  std::vector<WindowPass> passes;
};
WindowedPlan plan_windows(const GateList& gates, int wires, Precision precision, int window_wires);

/// plan_sweeps() without sweeps, one gate after the other: for states so small that a plan of sweeps costs more than it
/// saves.
SweepPlan plan_one_by_one(const GateList& gates, int wires, Precision precision);

/// A plan with its numbers. Immutable; apply() from several threads at once with a scratch each.
template <class T>
class BoundSweeps {
 public:
  /// plan and gates are not kept. Errors: those of gate_matrix.
  BoundSweeps(const SweepPlan& plan, const GateList& gates, const ParamValue& value)
      : BoundSweeps(plan, gates, value, 0, plan.items.size()) {}
  /// Items [begin, end) of the plan alone: numbers of a long circuit take more memory than a small state.
  /// control is looked at before each item.
  BoundSweeps(const SweepPlan& plan, const GateList& gates, const ParamValue& value, std::size_t begin, std::size_t end,
              const RunControl& control = {});

  /// Changes the state in place; see kernels::apply.
  void apply(kernels::StateView<T> state, std::uint64_t zero_wires, kernels::SweepScratch<T>& scratch,
             const RunControl& control) const;
  /// The same item by item: 0, 1, …, size() - 1. Gives the wires that are still in |0>.
  std::size_t size() const noexcept { return items_.size(); }
  std::uint64_t apply_item(std::size_t i, kernels::StateView<T> state, std::uint64_t zero_wires,
                           kernels::SweepScratch<T>& scratch, const RunControl& control,
                           kernels::HeldWires held = {}) const;
  /// Numbers of scratch per thread.
  std::size_t scratch_size() const noexcept;

 private:
  struct Item {
    std::variant<kernels::Sweep<T>, kernels::Gate<T>> what;
    std::uint64_t wires = 0;
  };
  std::vector<Item> items_;
};

}  // namespace skerry::sim
