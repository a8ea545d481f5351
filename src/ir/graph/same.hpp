/// \file
/// Structural equality of graphs, for tests and caches.
#pragma once

#include <skerry/graph.hpp>

namespace skerry::ir {

/// True when both compute the same by the same steps under the same names: value ids and unused constants' positions do
/// not count, the order of nodes, every name, type, attribute and the bytes of constants do. Doubles are compared by
/// their bits. Precondition: both verify.
bool same(const Graph& l, const Graph& r);

}  // namespace skerry::ir
