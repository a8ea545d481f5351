/// \file
/// Gate lists as Python has them: an iterable of dicts, decoded straight into the JSON importer's entries.
#pragma once

#include "bind.hpp"

namespace skerry::python {

/// Errors: semantic_error, out_of_range and limit_exceeded whose `where` is `gate 3`.
Circuit circuit_from_gates(nb::handle gates);

}  // namespace skerry::python
