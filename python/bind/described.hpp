/// \file
/// How objects that are values show themselves.
#pragma once

#include <initializer_list>

#include "bind.hpp"

namespace skerry::python {

/// For __repr__: `<RestReport: models=1, released_bytes=4096>`, the properties of the object's class in their order;
/// long texts are cut, of longer sequences and of arrays the sizes are told.
nb::str described(nb::handle self);
/// The same of some of them: where others are long, or have work done.
nb::str described(nb::handle self, std::initializer_list<const char*> names);

}  // namespace skerry::python
