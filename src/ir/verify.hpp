/// \file
/// Structural verifiers: what must hold for any circuit or graph whatever its gates and operators mean.
#pragma once

#include <skerry/circuit.hpp>
#include <skerry/graph.hpp>

namespace skerry::ir {

/// Blocks nest in blocks and subgraphs in graphs no deeper than this, so later stages may recurse over them.
inline constexpr std::size_t kMaxNesting = 256;

/// Throws semantic_error whose `where` is `block 0 gate 17` (or `expression 4`, `matrix 1`, `parameter theta`):
///   C1  wires are in range and distinct
///   C2  as many targets and parameters as gates.def says; controls only on gates
///   C3  measured bits are in range
///   C4  parameters are finite numbers or expressions that exist
///   C5  leaves of expressions name parameters, variables and bits that exist, with their declared types
///   C6  branches, their conditions and blocks exist
///   C7  no block is used twice or inside itself (one that nobody uses never runs and is not looked at); at most
///       kMaxNesting deep
///   C8  break and continue stand inside a loop
///   C9  assignments exist, their places are in range, an indexed array has one type
///   C10 matrices have 2^k x 2^k finite entries for as many targets
///   C11 classical types have a width their kind can have
///   C12 wires are qubits or optical modes, not both; modes in straight circuits; their outcomes in float[64] variables
/// Cost: linear in the circuit; nothing recurses.
void verify(const Circuit& circuit);

/// Throws semantic_error whose `where` is the node's name (its operator and position if it has none) or the value's:
///   G1  a value is either an input, or a constant, or one output of one node, and knows which
///   G2  inputs of a node exist and are defined before it; outputs of the graph exist
///   G3  an operator has a name; attributes are sorted by name, each once
///   G4  subgraphs and circuits are there and verify; a subgraph has as many inputs as its node passes (`If` keeps its
///       condition, every other operator passes all); at most kMaxNesting deep
///   G5  constants have elements, and the type of their value
///   G6  a type has at most Shape::kMaxRank extents, each either a number, or named, or unknown
void verify(const Graph& graph);

}  // namespace skerry::ir
