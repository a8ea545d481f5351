/// \file
/// What a run as a matrix product state was asked for, its gates put in an order that suits a chain, and its price.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <skerry/circuit.hpp>
#include <skerry/options.hpp>
#include <span>
#include <vector>

#include "base/expected.hpp"
#include "sim/mps/chain.hpp"
#include "sim/state/outcomes.hpp"
#include "sim/statevector/code.hpp"

namespace skerry::sim {

/// A gate of a run of gates, and which way the centre travels over it.
struct ChainGate {
  std::uint32_t step = 0;
  bool forwards = true;
  double flops = 0.0;  ///< that it takes at most
};

struct MpsRequest {
  Code code;
  std::vector<ChainGate> gates;          ///< of all runs of gates, each in layers that are swept to and fro
  std::vector<std::uint32_t> run_begin;  ///< by step: the run's place in `gates`, if one begins there
  std::vector<std::uint32_t> run_end;    ///< by step: the step after the run that begins there
  Precision precision = Precision::double_precision;
  std::uint64_t shots = 0, seed = 0;
  bool want_memory = false, want_state = false;
  bool branches = false;  ///< trajectories, not one state for all shots
  std::uint32_t outcome_bits = 0, classical_bits = 0;
  std::vector<Observable> observables;
  std::vector<std::string> amplitudes;
  bool want_distribution = false, distribution_of_bits = false;
  std::vector<std::uint32_t> distribution_wires;
  std::uint32_t waiting = 0;
  BondLimit limit;
  std::uint64_t widest = 1;  ///< bond dimension that the circuit may need, cut off by the limit
  bool may_truncate = false;
  std::uint64_t chain_bytes = 0;
  double flops = 0.0, updates = 0.0;
  std::function<bool(const Standing&)> leave;  ///< see Limits; empty: the run is never left
  std::shared_ptr<const Checkpoint> resume;    // shared: as in RunOptions; null: it begins at the start

  std::uint32_t wires() const noexcept { return static_cast<std::uint32_t>(code.wires); }
  OutcomeShape outcome_shape() const noexcept { return {outcome_bits, shots, want_memory}; }
  std::uint64_t state_bytes() const noexcept {
    return want_state ? (precision == Precision::single_precision ? 8U : 16U) * (std::uint64_t{1} << code.wires) : 0;
  }
  std::uint64_t distribution_bytes() const noexcept;
  std::uint64_t peak_bytes() const noexcept;
};

/// Wires of a gate as its matrix counts them, targets first, and that matrix, controls included. angles: its
/// parameters.
std::vector<std::uint32_t> chain_wires(const Instruction& instruction, std::span<const std::uint32_t> positions);
std::vector<Complex> chain_matrix(const Circuit& circuit, const Instruction& instruction,
                                  std::span<const double> angles);

/// The request, or why this method cannot serve it. Errors: invalid_argument and out_of_range for options that fit no
/// method. Precondition: a verified circuit.
Expected<MpsRequest> make_mps_request(const Circuit& circuit, const RunOptions& options);

}  // namespace skerry::sim
