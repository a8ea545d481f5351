/// \file
/// Counts as Python has them.
#pragma once

#include "bind.hpp"

namespace skerry::python {

/// Bit string -> how often, in ascending order of the outcome.
nb::dict counts_dict(const Counts& counts);

}  // namespace skerry::python
