/// \file
/// The operation that joins the two structures: a circuit as a node of a graph.
#pragma once

#include <skerry/graph.hpp>
#include <skerry/hybrid.hpp>
#include <skerry/options.hpp>
#include <string>
#include <vector>

namespace skerry::ops {

/// What a `circuit` node asks of its circuit; decoded from its attributes.
///
/// Node `circuit`: input 0 (absent for a circuit without parameters) holds the parameters in order of declaration, f32
/// or f64, [P] or [batch, P]. Output 0 has the input's dtype (f64 without input): `expectations` -> [batch,
/// observables], `probabilities` -> [batch, 2^wires] of attribute `wires` (all when empty), `counts` -> [batch, 2^bits]
/// relative frequencies of the bits (attribute `shots` > 0).
struct CircuitNode {
  CircuitRef circuit;
  std::string output;  ///< `expectations`, `probabilities` or `counts`
  RunOptions options;  ///< observables, shots, seed, precision, method, probability wires
  std::int64_t row_elements = 0;
};

/// Errors: semantic_error naming the node and the attribute.
CircuitNode decode_circuit_node(const Node& node);

}  // namespace skerry::ops
