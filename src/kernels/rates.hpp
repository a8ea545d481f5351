/// \file
/// How fast this machine does each kind of work: the one cost table that predictions are made of.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <skerry/progress.hpp>
#include <string_view>
#include <vector>

namespace skerry::kernels {

/// A kind of work with a measured price. Rows (name, unit, measuring function) in rates.def.
enum class Rate : std::uint8_t {
#define SKERRY_RATE(name, unit, fallback) name,
#include "kernels/rates.def"
#undef SKERRY_RATE
};
#define SKERRY_RATE(name, unit, fallback) +1
inline constexpr std::size_t kRateCount = 0
#include "kernels/rates.def"
    ;
#undef SKERRY_RATE

std::string_view rate_name(Rate rate) noexcept;
std::string_view rate_unit(Rate rate) noexcept;

/// Seconds per unit of each row, for one thread count.
struct Rates {
  int threads = 1;
  bool measured = false;  ///< false: the fallback column
  std::array<double, kRateCount> seconds_per_unit{};
  double operator[](Rate rate) const noexcept { return seconds_per_unit[static_cast<std::size_t>(rate)]; }
};

/// An amount of one kind of work.
struct Work {
  Rate rate;
  double units = 0.0;
};

/// Predicted seconds of a list of work.
double seconds(const std::vector<Work>& work, const Rates& rates) noexcept;

/// The fallback column: a slow laptop, so that a prediction without a measurement errs to the careful side.
Rates fallback_rates(int threads) noexcept;
/// Runs each row's micro measurement (median of a few, about a second in all) on `threads` threads. Looks at control
/// before each row and each piece of a pass over memory. Errors: those of control.
Rates measure_rates(int threads, const RunControl& control);

}  // namespace skerry::kernels
