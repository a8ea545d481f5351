/// \file
/// Data that a caller gives by name, checked against what the graph takes.
#pragma once

#include <skerry/datum.hpp>
#include <skerry/graph.hpp>
#include <vector>

namespace skerry::runtime {

/// One datum per input of the graph, as its type has it; an optional input that is left out holds nothing. Errors:
/// invalid_argument for names, type_mismatch for another kind of value or another dtype, with the input and the place
/// inside it.
std::vector<Datum> data_in_order(const Graph& graph, const NamedData& inputs);

}  // namespace skerry::runtime
