/// \file
/// How much arithmetic an operator is by its definition, whatever its kernel makes of it.
#pragma once

#include <skerry/graph.hpp>

namespace skerry::ops {

/// Floating-point (or integer) operations of a node whose types are static: an addition, a multiplication, a comparison
/// and a function of one element count 1 each, so a product of m x k and k x n counts 2mnk, a softmax or a
/// normalisation 5 for each element, and what only moves elements 0. A kernel may do with fewer (Winograd) or more
/// (padding).
double flops(const Graph& graph, const Node& node);

}  // namespace skerry::ops
