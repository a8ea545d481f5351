/// \file
/// Between Python's values and data that need not be tensors of numbers.
#pragma once

#include <skerry/datum.hpp>

#include "bind.hpp"

namespace skerry::python {

/// Whether an input or output of the graph is a sequence, an optional, a map, or strings.
bool takes_data(const Graph& graph);

/// Data by name for the graph's inputs from a mapping: arrays of str, bytes or object for strings, lists for sequences,
/// None for an optional that holds nothing. Errors: type_mismatch with the input's name.
NamedData named_data(const Graph& graph, nb::handle inputs);

/// numpy arrays (of object for strings), lists, None or what an optional holds, and dicts of floats for maps.
nb::object object_from(const Datum& datum);

}  // namespace skerry::python
