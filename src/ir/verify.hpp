/// \file
/// Structural verifiers: what must hold for any circuit or graph whatever its gates and operators mean.
#pragma once

#include <skerry/circuit.hpp>
#include <skerry/graph.hpp>

namespace skerry::ir {

/// Throws semantic_error whose `where` is `block 0 gate 17`: wires in range and distinct, counts as gates.def says,
/// bits, expressions, branches, assignments and matrices that exist, every block used once and without cycles, break
/// and continue inside a loop.
void verify(const Circuit& circuit);

/// Throws semantic_error whose `where` is the node's name: single assignment, inputs defined before use, outputs exist,
/// attributes sorted, subgraphs verified in turn with as many inputs as their node passes.
void verify(const Graph& graph);

}  // namespace skerry::ir
