/// \file
/// How the range of an activation is chosen from what was seen of it.
#pragma once

#include <cstdint>

namespace skerry {

/// From what was seen of a tensor to the range [low, high] that 256 levels are spread over; 0 is always inside.
enum class Calibration : std::uint8_t {
  min_max,     ///< all that was seen
  percentile,  ///< without as many of the smallest and the largest as QuantizeOptions::percentile leaves
  entropy,     ///< least Kullback-Leibler divergence of what is left (Migacz, GTC 2017)
  mse,         ///< least mean squared error
};

}  // namespace skerry
