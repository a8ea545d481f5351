/// \file
/// A run's result as Python sees it.
#pragma once

#include "bind.hpp"

namespace skerry::python {

/// The result, and the dict of its counts once somebody asked for it.
struct RunResult {
  Result result;
  nb::object counts{};  ///< made at the first question
};

}  // namespace skerry::python
