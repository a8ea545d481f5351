/// \file
/// A model as Python sees it: a graph that many sessions share and nobody changes.
#pragma once

#include <memory>
#include <string>

#include "bind.hpp"

namespace skerry::python {

struct Model {
  std::shared_ptr<const Graph> graph;  ///< shared: sessions hold it too
};

/// Circuit or Model.
nb::object program_object(Program program);
/// Errors: TypeError for anything else.
Program program_of(nb::handle object);

}  // namespace skerry::python
