/// \file
/// Runs plans. Decides nothing: method, kernels, offsets and threads are the plan's.
#pragma once

#include <algorithm>
#include <memory>
#include <skerry/datum.hpp>
#include <skerry/result.hpp>
#include <span>
#include <vector>

#include "base/memory.hpp"
#include "base/trace.hpp"
#include "plan/planner.hpp"

namespace skerry::exec {

/// Runs a planned circuit once. parameters: in order of declaration. The limits are those the plan was made under:
/// their memory is the budget of the run, their time its deadline. Errors: budget_exceeded, deadline_exceeded,
/// cancelled, semantic_error.
Result run(const planning::CircuitPlan& plan, std::span<const double> parameters, const Limits& limits);

/// Arena and scratch for executors that run one at a time: as large as the largest of them needs, so that a model of
/// many input shapes holds what its largest plan says and no more. One thread at a time.
class Workspace {
 public:
  /// Makes room for what is asked, no less and no more: what is held changes place when its size does. Errors:
  /// budget_exceeded; then what failed is not held.
  void fit(std::uint64_t arena_bytes, std::uint64_t scratch_bytes);
  /// Does so if there is less than that.
  void need(std::uint64_t arena_bytes, std::uint64_t scratch_bytes) {
    if (arena_.bytes() < arena_bytes || arena_.bytes() == 0 || scratch_.bytes() < scratch_bytes)
      fit(std::max(arena_bytes, arena_.bytes()), std::max(scratch_bytes, scratch_.bytes()));
  }
  std::byte* arena() noexcept { return arena_.data(); }
  std::span<std::byte> scratch() noexcept { return {scratch_.data(), static_cast<std::size_t>(scratch_.bytes())}; }
  std::uint64_t bytes() const noexcept { return arena_.bytes() + scratch_.bytes(); }
  /// Another number each time that something changed its place.
  std::uint64_t generation() const noexcept { return generation_; }

 private:
  base::Buffer arena_, scratch_;
  std::uint64_t generation_ = 0;
};

/// A planned graph with its buffers: made once, run many times without allocating anything but the outputs. One run at
/// a time; several executors may share a plan.
class GraphExecutor {
 public:
  /// With arena and scratch of its own. Errors: budget_exceeded.
  GraphExecutor(std::shared_ptr<const planning::GraphPlan> plan, const Limits& limits);
  /// With those of `workspace`, which fits the plan whenever this runs.
  GraphExecutor(std::shared_ptr<const planning::GraphPlan> plan, const Limits& limits,
                std::shared_ptr<Workspace> workspace);

  /// inputs: one per graph input, of the types the plan was made for. Gives new tensors, one per graph output.
  /// Errors: deadline_exceeded, cancelled (checked between steps and inside circuits), type_mismatch, whatever a kernel
  /// finds in its data (where: the node).
  std::vector<Tensor> run(std::span<const TensorView> inputs, const RunControl& control);
  /// Of a plan by value: data of the plan's types, which the caller has checked. Tensors of the results are the
  /// caller's alone. Errors: as run().
  std::vector<Datum> run_data(std::vector<Datum> inputs, const RunControl& control);
  /// Into the caller's buffers, in place. Errors: type_mismatch when a buffer does not fit its output.
  void run(std::span<const TensorView> inputs, std::span<const MutableTensorView> outputs, const RunControl& control);

  /// One run whose outputs are dropped; seconds of each step of the plan. Errors: unsupported for a plan by value, and
  /// as run().
  void time_steps(std::span<const TensorView> inputs, const RunControl& control, std::span<double> seconds);

  const planning::GraphPlan& plan() const noexcept { return *plan_; }
  /// Most bytes charged so far.
  std::uint64_t peak_bytes() const noexcept { return budget_.peak(); }

 private:
  void run_slice(std::span<const TensorView> inputs, std::span<const MutableTensorView> outputs,
                 const RunControl& control, std::int64_t slice, base::SpanSequence& spans);
  std::vector<Tensor> run_by_value(std::span<const TensorView> inputs, const RunControl& control);
  std::shared_ptr<base::Buffer> output_buffer(std::size_t output, std::uint64_t bytes);
  void make_views();
  void fill_views(std::span<const TensorView> inputs, std::span<const MutableTensorView> outputs);
  std::byte* address(ValueId id, std::span<const TensorView> inputs, std::span<const MutableTensorView> outputs) const;
  const base::SpanName* step_name(std::size_t step);

  std::shared_ptr<const planning::GraphPlan> plan_;
  Limits limits_;
  base::MemoryBudget budget_;
  std::shared_ptr<Workspace> workspace_;  // shared: the executors of a session take turns in it
  std::uint64_t generation_ = 0;          ///< of the workspace that the views look into
  /// Views of all steps, one after the other, made when the workspace moves: a run only fills in where the caller's
  /// tensors are.
  struct StepViews {
    std::size_t first_input, first_output;
  };
  struct CallersView {
    std::size_t at;  ///< in input_views_, or in output_views_
    ValueId value;
    bool is_input;
  };
  std::vector<TensorView> input_views_;
  std::vector<MutableTensorView> output_views_;
  std::vector<StepViews> step_views_;
  std::vector<CallersView> callers_views_;
  std::vector<std::shared_ptr<base::Buffer>> spare_outputs_;  ///< shared with whoever holds an output of the last run
  std::vector<TensorView> slice_inputs_;  ///< of a plan in slices, kept so that the next run allocates nothing
  std::vector<MutableTensorView> slice_outputs_;
  std::span<double> step_seconds_;                 ///< filled in by the run of time_steps()
  std::vector<const base::SpanName*> step_names_;  ///< made by the first run that is recorded
};

/// The control of a run that starts now: the limits' time limit becomes a deadline, if `control` has none before it.
RunControl started(const Limits& limits, RunControl control);
inline RunControl started(const Limits& limits) {
  return started(limits, limits.control);
}

}  // namespace skerry::exec
