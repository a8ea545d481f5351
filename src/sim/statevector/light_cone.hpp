/// \file
/// Which gates can influence what is asked, and which of them must be simulated together.
///
/// The operators that are asked about are followed back through the gates (Heisenberg picture). Of each wire it is
/// known whether they leave it alone, are diagonal on it (Z, a measurement), or anything. With U controlled by wires C
/// and mixing wires T, U+ A U differs from A only if A acts on T or is not diagonal on C; then it may be anything on T
/// and is at least diagonal on C. A diagonal gate mixes no wire; a gate that only permutes basis states leaves
/// operators diagonal that were so on all its wires.
#pragma once

#include <cstdint>
#include <skerry/circuit.hpp>
#include <skerry/observable.hpp>
#include <span>
#include <vector>

#include "ops/qubit/gate_record.hpp"

namespace skerry::sim {

/// Of a gate's matrix on its targets; of `unitary`, dense or diagonal by its numbers.
ops::Structure structure_of(const Circuit& circuit, const Instruction& instruction);

/// What the operators that are asked about do to a wire.
enum class Interest : std::uint8_t { none, diagonal, any };

/// Wires that gates join, and the gates: indices into the body, ascending.
struct Register {
  std::vector<Wire> wires;
  std::vector<std::uint32_t> gates;
};

/// The gates of the body that can influence operators of these interests (one per wire), by registers that share no
/// wire. Wires that no such gate touches are in no register. Precondition: the body only applies gates, and measures
/// after the last of them on a wire.
std::vector<Register> light_cone(const Circuit& circuit, std::vector<Interest> interests);

/// Adds what a string asks: Z is diagonal, X and Y are not.
void add_interest(const PauliTerm& term, std::vector<Interest>& interests);

/// The circuit with these gates of its body alone.
Circuit with_gates(const Circuit& circuit, std::span<const std::uint32_t> gates);

}  // namespace skerry::sim
