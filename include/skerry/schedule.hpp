/// \file
/// Scheduling: when the instructions of a circuit happen on a device, with delays where its wires wait.
#pragma once

#include <cstdint>
#include <skerry/circuit.hpp>
#include <skerry/target.hpp>
#include <string_view>

namespace skerry {

/// As soon or as late as possible. Late keeps wires in |0> for longer, where nothing decays.
enum class Alignment : std::uint8_t { asap, alap };
/// Pulses in the middle of waiting: x2 is X X, xy4 is X Y X Y. Between them the wire waits 1/4, 1/2, 1/4 (1/8, 1/4,
/// 1/4, 1/4, 1/8) of what is left, so that a constant detuning turns back what it turned. Source: Viola, Knill, Lloyd,
/// quant-ph/9809071; Ezzell et al., arXiv:2207.03670.
enum class Decoupling : std::uint8_t { none, x2, xy4 };

/// Errors: invalid_argument that lists the names.
Alignment alignment_from_name(std::string_view name);
Decoupling decoupling_from_name(std::string_view name);

struct ScheduleOptions {
  Alignment alignment = Alignment::alap;
  Decoupling decoupling = Decoupling::none;
};

struct Schedule {
  Circuit circuit;
  double idle_seconds = 0.0;  ///< in delays, over all wires
  std::uint64_t pulses = 0;   ///< of the decoupling
};

/// The same circuit with a delay wherever a wire waits: what a device would do by itself, written down. The durations
/// are those of the target, instructions it does not know take none, and estimate() of the result has the same
/// duration. Barriers, assignments and control flow hold back the wires they are on; each body is scheduled by itself.
/// Pulses go where a wire that is in no basis state waits for at least twice what they take; the meaning is kept,
/// global phase included. Errors: unsupported for pulses in a basis that cannot write them. O(instructions).
Schedule schedule(const Circuit& circuit, const Target& target, const ScheduleOptions& options = {});

}  // namespace skerry
