/// \file
/// A circuit as straight code with jumps, its last measurements put off to the end: what the walker steps through.
#pragma once

#include <cstdint>
#include <optional>
#include <skerry/circuit.hpp>
#include <skerry/options.hpp>
#include <string>
#include <vector>

#include "sim/state/masks.hpp"

namespace skerry::sim {

enum class StepKind : std::uint8_t {
  gate,         ///< instruction `a` of block `b`
  measure,      ///< position `a` (or kIdle) into bit `b`
  reset,        ///< position `a`
  assign,       ///< assignment `a`
  jump,         ///< to step `a`
  jump_unless,  ///< to step `a` unless expression `b` holds
};

struct Step {
  StepKind kind{};
  std::uint32_t a = 0, b = 0;
};

/// Steps [0, tail) hold everything that touches the state; the tail only measures and computes, so that it is run on
/// drawn basis states. The end is the step after the last.
struct Code {
  std::vector<Step> steps;
  std::uint32_t tail = 0;
  std::vector<std::uint32_t> positions;  ///< of each wire in the simulated state, or kIdle
  int wires = 0;                         ///< simulated
  bool is_dynamic = false;               ///< some step before the tail is not a gate
  bool has_measure = false;
  bool has_loop = false;           ///< some jump goes back
  bool tail_is_measures = true;    ///< no classical computation in the tail
  std::uint32_t random_steps = 0;  ///< measurements and resets before the tail
};

/// Flattens the circuit. all_wires: simulate idle wires too. A circuit without measurements gets none.
Code flatten(const Circuit& circuit, bool all_wires);

/// Bits of each shot's outcome, and of the classical memory while a shot runs.
struct OutcomeBits {
  std::uint32_t outcome = 0, classical = 0;
};
/// Those of a circuit's bits, or of its wires where it measures nothing: then its code is given a measurement of each
/// of them at the end, if shots are asked for.
OutcomeBits choose_outcome_bits(const Circuit& circuit, bool asks_shots, Code& code);

/// What a distribution is over.
struct DistributionSubject {
  bool is_bits = false;              ///< of a circuit that measures midway; else `wires`
  std::vector<std::uint32_t> wires;  ///< those asked for, or all
  std::size_t size = 0;              ///< how many bits or wires
};
DistributionSubject distribution_subject(const Circuit& circuit, const RunOptions& options, const Code& code);
/// Why a distribution over `size` bits or wires is not told where `most` are the limit.
std::optional<std::string> refuse_distribution(std::size_t size, bool is_bits, std::size_t most);

}  // namespace skerry::sim
