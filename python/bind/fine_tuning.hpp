/// \file
/// Training of models, bound beside what makes them smaller.
#pragma once

#include "bind.hpp"

namespace skerry::python {

void bind_fine_tuning(nb::module_& m);

}  // namespace skerry::python
