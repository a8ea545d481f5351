/// \file
/// Hybrids: a quantum circuit as a node of a graph, so that planning, packaging and serving work on it unchanged.
#pragma once

#include <skerry/circuit.hpp>
#include <skerry/graph.hpp>
#include <skerry/observable.hpp>
#include <string>
#include <vector>

namespace skerry {

/// Adds a `circuit` node: each row of `parameters` (f32 or f64, [P] or [batch, P], in order of declaration; kNoValue
/// for a circuit without parameters) gives the exact expectations of the observables, [observables] or [batch,
/// observables] of the same dtype (f64 without parameters). Errors: internal for a value that does not exist.
ValueId add_circuit(Graph& graph, const Circuit& circuit, ValueId parameters, std::vector<Observable> observables,
                    std::string output_name);

}  // namespace skerry
