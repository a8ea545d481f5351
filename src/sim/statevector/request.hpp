/// \file
/// What a run was asked for, checked against the circuit, with every byte it will charge.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <skerry/circuit.hpp>
#include <skerry/options.hpp>
#include <vector>

#include "base/expected.hpp"
#include "sim/state/outcomes.hpp"
#include "sim/statevector/code.hpp"
#include "sim/statevector/disk.hpp"
#include "sim/statevector/segments.hpp"

namespace skerry::sim {

inline constexpr std::size_t kMaxDistributionBits = 32;

/// Which distribution was asked for.
enum class Distribution : std::uint8_t {
  none,
  wires,  ///< of the listed wires
  bits,   ///< of all classical bits of a circuit that measures midway
};

struct Request {
  Code code;
  Precision precision = Precision::double_precision;
  std::uint64_t shots = 0, seed = 0;
  std::uint64_t first_shot = 0;  ///< the shots are first_shot, first_shot + 1, …
  bool want_memory = false, want_state = false;
  std::uint32_t outcome_bits = 0;    ///< width of counts: bits of the circuit, or its wires if it measures nothing
  std::uint32_t classical_bits = 0;  ///< bits of a trajectory, at least those of the circuit
  std::vector<std::uint32_t> tail_positions;  ///< simulated wires that the tail measures, ascending
  Distribution distribution = Distribution::none;
  std::vector<std::uint32_t> distribution_wires;
  std::vector<Observable> observables;
  std::optional<Tensor> initial_state;
  std::uint32_t first_step = 0;                ///< where the run begins, with the initial state
  std::uint32_t leading_gates = 0;             ///< steps before the first that is none
  std::function<bool(const Standing&)> leave;  ///< see Limits; empty: the run is never left
  std::vector<Segment> segments;
  std::optional<DiskUse> disk;  ///< the state is kept there; then no copies of it wait
  int threads = 1;              ///< that the run may use at most
  std::uint32_t slots = 0;      ///< states kept beside the running one, where trajectories part

  std::uint64_t amplitude_bytes() const noexcept { return precision == Precision::single_precision ? 8 : 16; }
  std::uint64_t state_bytes() const noexcept { return amplitude_bytes() << code.wires; }
  /// Memory that the state is charged.
  std::uint64_t held_bytes() const noexcept { return disk ? disk->resident_bytes : state_bytes(); }
  OutcomeShape outcome_shape() const noexcept { return {outcome_bits, shots, want_memory}; }
  bool samples() const noexcept { return shots != 0; }
  bool has_trajectories() const noexcept { return samples() && code.random_steps != 0; }
  std::uint64_t distribution_bytes() const noexcept;
  /// Of the dense table from which a distribution over bits, or over wires of which some are idle, is made.
  std::uint64_t table_bytes() const noexcept;
  /// Buffers of the sweeps: numbers for each of so many threads.
  std::size_t scratch_numbers() const noexcept;
  int scratch_threads() const noexcept;
  std::uint64_t scratch_bytes() const noexcept;
  /// The most that a run charges at once.
  std::uint64_t peak_bytes() const noexcept;
};

/// The request, or why this method cannot serve it. Preconditions: a verified circuit, options that check_questions()
/// has found right.
Expected<Request> make_request(const Circuit& circuit, const RunOptions& options);

}  // namespace skerry::sim
