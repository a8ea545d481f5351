/// \file
/// What a generator is to imitate.
#pragma once

#include <array>
#include <string_view>
#include <vector>

namespace skerry::train {

/// Equal Gaussians around some centres.
struct Task {
  std::vector<std::array<double, 2>> centres;
  double sigma = 0;
};
/// Errors: invalid_argument that lists the names.
Task find_task(std::string_view name);

}  // namespace skerry::train
