/// \file
/// Runs a program once: from the initial state through every trajectory that shots (or exact answers) need.
///
/// Trajectories that have gone the same way so far are one: a state, the classical values, and the set of shots. At a
/// measurement the set parts by what each shot draws (for exact answers: by probability). The smaller part goes on, the
/// larger one waits with a copy of the state, so at most log2(shots) wait at once. If no copy can be kept, the part is
/// run again later from the nearest copy on its way:
///
///     gates ── measure ── gates ── measure ── tail        path 0 0   (goes on)
///                 │                   └────── tail        path 0 1   waits with copy 1
///                 └── gates ── measure ── …               path 1 …   waits with copy 0
///
/// Draw d of shot s is a function of (seed, s, d), so neither the order of parts nor threads change an outcome.
#pragma once

#include <memory>
#include <optional>
#include <skerry/result.hpp>
#include <vector>

#include "kernels/statevec/reduce.hpp"
#include "sim/method.hpp"
#include "sim/state/masks.hpp"
#include "sim/statevector/classical.hpp"
#include "sim/statevector/request.hpp"

namespace skerry::sim {

template <class T>
class Walk {
 public:
  /// circuit and request must outlive the walk. Errors: budget_exceeded.
  Walk(const Circuit& circuit, const Request& request, std::vector<Scalar> parameters, const Resources& resources);
  /// Everything that was asked for. Errors: those of Program::run.
  CircuitResult run();
  /// For a circuit that does not branch: goes to its measurements, after which drawn() may be asked for any shots.
  void evolve();
  void drawn(std::uint64_t first, std::span<std::uint64_t> out) const;
  /// Takes away the names of files of a state on disk, from which a run could go on.
  void forget() noexcept {
    if (disk_) disk_->forget();
  }

 private:
  using Amplitude = std::complex<T>;
  static constexpr int kNoSlot = -1;

  /// Shots [first, first + count) of ids_ (exact: none), and the share of the whole that they are.
  struct Part {
    std::uint64_t first = 0, count = 0;
    double weight = 1.0;
    std::vector<bool> path;  ///< outcomes of the measurements so far and to be followed
    bool has_last_shot = true;
  };
  /// Where a trajectory stands.
  struct Frame {
    std::uint32_t pc = 0;
    std::uint32_t measured = 0;  ///< outcomes behind it; also the draws that each shot has made
    Classical classical;
  };
  /// A part that waits at a measurement; with a copy of the state just before it if slot is one.
  struct Waiting {
    Part part;
    Frame frame;
    int slot = kNoSlot;
  };

  kernels::StateView<T> view() {
    return {disk_ ? reinterpret_cast<Amplitude*>(disk_->current()) : state_.template as<Amplitude>().data(),
            request_.code.wires};
  }
  void allocate_state();
  void start_state();
  void write_rest();
  void load_initial_state();
  void copy_state(const base::Buffer& from, base::Buffer& to);

  void start();
  void go_to_tail();
  void resume(Waiting next);
  void go();
  void run_segment(const Segment& segment);
  void offer_to_leave(const Segment& next);
  void measure(const Step& step);
  void collapse(std::uint32_t position, bool outcome, bool to_zero, double factor);
  bool choose_outcome(double probability_of_one);
  bool part_shots(double probability_of_one);
  bool part_weight(double probability_of_one);
  void wait(Part part);

  void leaf();
  void draw_shots();
  void add_wire_distribution();
  void add_bit_distribution();
  void report_progress(std::uint32_t steps_done);
  CircuitResult finish();

  double uniform(std::uint64_t shot) const;

  const Circuit& circuit_;
  const Request& request_;
  base::MemoryBudget budget_;
  const RunControl& control_;
  ClassicalUnit unit_;
  base::Buffer state_, distribution_;
  base::Reservation disk_charge_;
  std::unique_ptr<DiskState> disk_;  // instead of state_
  kernels::SweepScratch<T> scratch_;
  std::vector<std::optional<BoundSweeps<T>>> bound_;  // of each segment whose numbers do not change
  // Amplitudes where a wire of zero_wires_ is 1 hold 0; else they have not been written, which sweeps do not mind.
  bool rest_is_written_ = true;
  bool disk_is_new_ = true;       // all 0
  std::uint64_t zero_wires_ = 0;  // known to be in |0>
  std::vector<base::Buffer> slots_;
  std::vector<int> free_slots_;
  base::Reservation ids_charge_;
  std::vector<std::uint64_t> ids_;
  std::optional<Outcomes> outcomes_;
  std::vector<MaskedObservable> observables_;
  std::vector<double> expectations_;
  std::vector<Scalar> last_variables_;
  std::optional<kernels::Sampler<T>> sampler_;  // of a state that was evolved for its shots
  std::vector<Waiting> waiting_;
  Part part_;
  Frame frame_;
  double done_ = 0.0;  // share of the whole whose trajectories have ended
  std::uint64_t leaves_ = 0;
};

}  // namespace skerry::sim
