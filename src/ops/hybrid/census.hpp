/// \file
/// What the circuits inside of a model take of a server's allowances.
#pragma once

#include <cstdint>
#include <skerry/graph.hpp>

namespace skerry::ops {

/// Wires of the widest circuit among the nodes of a graph and of the graphs inside of it; 0: there is none.
std::uint32_t widest_circuit(const Graph& graph);
/// Shots that all circuit nodes draw in one run, each row of parameters counted. graph: with concrete types, as
/// specialize() gives it. Errors: unsupported where that hangs on data: rows that nobody knows beforehand, a circuit
/// with shots inside of a branch or loop; limit_exceeded beyond 2^62.
std::uint64_t drawn_shots(const Graph& graph);

}  // namespace skerry::ops
