/// \file
/// What a stabilizer run was asked for, its gates lowered to Clifford steps, and every byte it will charge.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <skerry/circuit.hpp>
#include <skerry/options.hpp>
#include <skerry/stabilizer_circuit.hpp>
#include <span>
#include <vector>

#include "base/expected.hpp"
#include "sim/state/outcomes.hpp"
#include "sim/statevector/code.hpp"

namespace skerry::sim {

struct StabilizerRequest {
  Code code;
  std::vector<StabilizerStep> gates;  ///< of all steps of kind gate, one after the other
  std::vector<std::uint32_t> first;   ///< gates of step i are [first[i], first[i + 1])
  std::uint64_t shots = 0, seed = 0;
  bool want_memory = false;
  bool branches = false;  ///< some step computes or jumps, or answers depend on outcomes: trajectories, not frames
  std::uint32_t outcome_bits = 0, classical_bits = 0;
  std::vector<Observable> observables;
  bool want_distribution = false, distribution_of_bits = false;
  std::vector<std::uint32_t> distribution_wires;
  std::uint32_t records = 0;  ///< measurements of a straight program
  std::size_t frame_words = 0;
  std::uint32_t waiting = 0;  ///< tableaus that may wait beside the running one
  std::uint32_t leading =
      0;  ///< steps that come first and hang on no outcome; of a straight program all before the tail
  std::function<bool(const Standing&)> leave;  ///< see Limits; empty: the run is never left
  std::shared_ptr<const Checkpoint> resume;    // shared: as in RunOptions; null: it begins at the start

  std::uint32_t wires() const noexcept { return static_cast<std::uint32_t>(code.wires); }
  OutcomeShape outcome_shape() const noexcept { return {outcome_bits, shots, want_memory}; }
  std::span<const StabilizerStep> gates_of(std::uint32_t step) const {
    return std::span(gates).subspan(first[step], first[step + 1] - first[step]);
  }
  /// Rows of one batch of frames, x, z and records.
  std::uint64_t batch_bytes() const noexcept;
  /// Shots whose outcomes are turned from rows over shots into rows over bits at a time.
  std::uint64_t group_shots() const noexcept;
  /// Batches at work at once, and the outcomes of one group.
  std::uint64_t frames_bytes(int threads) const noexcept;
  std::uint64_t distribution_bytes() const noexcept;
  std::uint64_t peak_bytes(int threads) const noexcept;
};

/// Words of Pauli rows that a step reads and writes: half the measurements are projections, and half the rows of a
/// table change in one.
double step_words(const StabilizerRequest& request, std::uint32_t step);
/// Words of the frames of all shots; 0 where there are none.
double frame_words(const StabilizerRequest& request);

/// The request, or why this method cannot serve it. Errors: invalid_argument and out_of_range for options that fit no
/// method. Precondition: a verified circuit.
Expected<StabilizerRequest> make_stabilizer_request(const Circuit& circuit, const RunOptions& options);

}  // namespace skerry::sim
