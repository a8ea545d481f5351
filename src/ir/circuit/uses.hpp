/// \file
/// Small questions about a circuit's content that several parts of this room ask.
#pragma once

#include <optional>
#include <skerry/circuit.hpp>
#include <span>
#include <vector>

namespace skerry::ir {

/// One byte per expression of the pool: does an instruction, condition or assignment reach it?
std::vector<std::uint8_t> used_expressions(const Circuit& circuit);

/// One byte per wire: is there an instruction on it other than a barrier, in any block?
std::vector<std::uint8_t> used_wires(const Circuit& circuit);

/// A wire that stands twice in the list, if there is one. Allocates only for more than eight wires.
std::optional<Wire> repeated_wire(std::span<const Wire> wires);

}  // namespace skerry::ir
