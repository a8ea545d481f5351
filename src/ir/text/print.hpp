/// \file
/// What the printers of circuits and graphs share: a circuit may stand inside a graph.
#pragma once

#include <skerry/circuit.hpp>
#include <string>

namespace skerry::ir {

/// Appends `circuit @name { ... }` without a final line break; inner lines start at `indent` + 2 blanks.
/// Precondition: the circuit verifies.
void print_circuit(const Circuit& circuit, std::size_t indent, std::string& out);

}  // namespace skerry::ir
