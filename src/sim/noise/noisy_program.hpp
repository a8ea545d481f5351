/// \file
/// A noisy circuit as straight code, with everything that both noisy methods want to know of it.
#pragma once

#include <cstdint>
#include <optional>
#include <skerry/options.hpp>
#include <span>
#include <vector>

#include "base/expected.hpp"
#include "sim/noise/noisy_circuit.hpp"
#include "sim/state/masks.hpp"
#include "sim/state/outcomes.hpp"
#include "sim/statevector/classical.hpp"
#include "sim/statevector/code.hpp"

namespace skerry::sim {

/// A measurement of the tail that has to be drawn; the others find an idle wire in 0 and read it rightly.
struct TailMeasure {
  std::uint32_t step = 0;
  Wire wire = 0;
};

/// Steps name wires, not positions: an idle wire may still be read wrongly.
struct NoisyProgram {
  NoisyCircuit noisy;
  Code code;
  std::vector<std::uint32_t> places;  ///< of each wire among the simulated ones, or kIdle
  int wires = 0;                      ///< simulated
  RunOptions options;
  std::uint32_t outcome_bits = 0;    ///< width of counts: bits of the circuit, or its wires if it measures nothing
  std::uint32_t classical_bits = 0;  ///< at least those of the circuit
  std::vector<TailMeasure> tail_measures;
  std::uint32_t measures_midway = 0;
  bool bits_distribution = false;  ///< the probabilities asked for are those of classical bits
  std::vector<std::uint32_t> distribution_wires;
  std::optional<Circuit> given;  ///< as it came, where the run may be left

  OutcomeShape outcome_shape() const noexcept { return {outcome_bits, options.shots, options.want_memory}; }
  std::uint64_t distribution_bytes() const noexcept;
  /// The classical values when the tail has run from `entry`; bit i of `recorded` is what tail_measures[i] read.
  Classical after_tail(const ClassicalUnit& unit, const Classical& entry, std::uint32_t pc, std::uint64_t recorded,
                       const RunControl& control) const;
  /// Writes the outcome bits of classical values into zeroed words.
  void outcome(const Classical& values, std::span<std::uint64_t> out) const;
  /// 2^k probabilities of true bits become those of read ones; wires[j] is the wire of bit j.
  void misread(std::span<const Wire> wires, std::span<double> table) const;
};

/// Errors: those of attach and check_questions. Precondition: a verified circuit.
Expected<NoisyProgram> make_noisy_program(const Circuit& circuit, const RunOptions& options);

}  // namespace skerry::sim
