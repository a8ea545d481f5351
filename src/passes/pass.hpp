/// \file
/// A pass: a named function from IR to IR that keeps the meaning.
#pragma once

#include <skerry/circuit.hpp>
#include <skerry/graph.hpp>
#include <span>
#include <string_view>

namespace skerry::passes {

/// Circuit to equivalent circuit, global phase included. Deterministic.
struct CircuitPass {
  std::string_view name;
  std::string_view help;
  Circuit (*run)(const Circuit&);
};

/// Graph to equivalent graph with the same inputs and outputs (names, order, dtypes).
struct GraphPass {
  std::string_view name;
  std::string_view help;
  Graph (*run)(const Graph&);
};

/// Rows of passes.def.
std::span<const CircuitPass* const> circuit_passes();
/// These keep less: from |0...0>, the joint distribution of the bits. A circuit that measures nothing keeps its state.
std::span<const CircuitPass* const> outcome_passes();
std::span<const GraphPass* const> graph_passes();

}  // namespace skerry::passes
