/// \file
/// Runs a noisy program as many trajectories as there are shots, batch by batch, and gathers what they tell.
///
/// Before anything runs, every trajectory's first event is known from its random numbers. Trajectories are sorted by
/// it; a batch starts from a copy of the noiseless state at the first event of its first trajectory, and those without
/// any event are drawn from the noiseless state at the end:
///
///     reference  ──────●────────────●───────────●────────────▶  sampled for all that suffer nothing
///                      └─ batch 0 ▶ └─ batch 1 ▶ └─ batch 2 ▶
#pragma once

#include <atomic>
#include <mutex>
#include <skerry/result.hpp>
#include <vector>

#include "base/memory.hpp"
#include "sim/method.hpp"
#include "sim/trajectories/lane_batch.hpp"

namespace skerry::sim {

/// Bytes that a run charges at its peak. trajectories at once: those of each thread.
std::uint64_t trajectory_peak_bytes(const NoisyProgram& program);
/// Classical steps before the tail: each trajectory may go another way.
bool is_branching(const NoisyProgram& program);
/// Trajectories in a batch.
std::size_t batch_lanes(const NoisyProgram& program);

template <class T>
class TrajectoryRun {
 public:
  /// program must outlive the run. Errors: budget_exceeded.
  TrajectoryRun(const NoisyProgram& program, std::vector<Scalar> parameters, const Resources& resources);
  /// Everything that was asked for. Errors: those of Program::run.
  CircuitResult run();

 private:
  using Batch = LaneBatch<T>;
  static constexpr std::size_t kLanes = Batch::kLanes;
  struct Start {
    std::uint32_t step = 0;
    std::uint64_t id = 0;
  };

  void find_starts();
  std::uint32_t first_event(std::uint64_t id) const;
  void run_piece(std::size_t piece, std::size_t begin, std::size_t end);
  /// Takes over what a run that was left had finished. Errors: invalid_argument.
  void take_up(const Checkpoint& from);
  /// Asks, one thread at a time, whether to leave; true: every piece ends with the batch that it is at.
  bool is_left();
  [[noreturn]] void leave();
  void run_clean(std::size_t first);
  void finish_batch(Batch& batch, std::span<double> table);
  void measure_observables(Batch& batch, std::span<const double> norms);
  void add_table(Batch& batch, std::span<const double> weights, std::span<double> table) const;
  /// The end of one trajectory that was found in `basis`; draw() gives its next random number.
  template <class Draw>
  void finish_one(std::uint64_t id, std::uint64_t basis, const Classical& entry, std::uint32_t pc, Draw draw);
  void report(std::uint64_t trajectories);
  CircuitResult finish();
  void summarise(CircuitResult& result) const;

  const NoisyProgram& program_;
  base::MemoryBudget budget_;
  const RunControl& control_;
  ClassicalUnit unit_;
  LaneProgram lanes_;
  bool branching_;
  std::uint64_t shots_;
  std::size_t words_, pieces_ = 0;
  base::Buffer starts_, found_, values_, tables_;
  std::vector<MaskedObservable> observables_;
  std::vector<Scalar> last_variables_;
  std::atomic<std::uint64_t> done_{0};
  std::vector<std::uint32_t> batches_;   // of each piece that are over
  std::uint64_t begun_ = 0, noisy_ = 0;  // trajectories that were over before; that are run in batches
  std::atomic<bool> is_leaving_{false};
  std::mutex asking_;
  std::uint64_t asked_ = 0;  // of the mutex: trajectories that were over when it was asked last
};

}  // namespace skerry::sim
