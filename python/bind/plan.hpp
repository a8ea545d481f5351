/// \file
/// A plan as Python sees it: the prediction, and why such a run would be refused.
#pragma once

#include <string>

#include "bind.hpp"

namespace skerry::python {

struct PlanAnswer : Plan {
  std::string refusal;  ///< empty: it would run
};

}  // namespace skerry::python
