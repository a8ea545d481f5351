#include "plan/budget.hpp"

#include <array>
#include <cmath>
#include <cstdio>
#include <skerry/error.hpp>

#include "base/machine.hpp"
#include "plan/planner.hpp"

namespace skerry::planning {
namespace {

std::string scaled(double value, const char* unit) {
  std::array<char, 48> text{};
  std::snprintf(text.data(), text.size(), value < 10 ? "%.2f %s" : "%.1f %s", value, unit);
  return text.data();
}

}  // namespace

std::string bytes_text(std::uint64_t bytes) {
  constexpr std::array kUnits = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  if (bytes < 1024) return std::to_string(bytes) + " bytes";
  double value = static_cast<double>(bytes) / 1024;
  std::size_t unit = 0;
  for (; value >= 1024 && unit + 1 < kUnits.size(); ++unit) value /= 1024;
  return scaled(value, kUnits[unit]);
}

std::string seconds_text(double seconds) {
  if (seconds >= 1) return scaled(seconds, "s");
  if (seconds >= 1e-3) return scaled(seconds * 1e3, "ms");
  if (seconds >= 1e-6) return scaled(seconds * 1e6, "us");
  return scaled(seconds * 1e9, "ns");
}

std::uint64_t memory_limit(const Limits& limits, std::uint64_t need) {
  constexpr std::uint64_t kAlwaysThere = std::uint64_t{16} << 20;
  if (limits.max_memory_bytes) return *limits.max_memory_bytes;
  return need <= kAlwaysThere ? kAlwaysThere : base::available_memory_bytes();
}

void check_limits(const Limits& limits) {
  if (limits.max_execution_time &&
      !(limits.max_execution_time->count() > 0 && std::isfinite(limits.max_execution_time->count()))) {
    throw Error(ErrorCode::invalid_argument,
                "max_execution_time is " + std::to_string(limits.max_execution_time->count()) + " s",
                "max_execution_time", "give a positive number of seconds");
  }
  planned_threads(limits);
}

void enforce(const Plan& plan, const Limits& limits, const std::string& hint) {
  const std::uint64_t most = memory_limit(limits, plan.peak_bytes);
  if (plan.peak_bytes > most) {
    throw Error(ErrorCode::budget_exceeded,
                "the run needs " + bytes_text(plan.peak_bytes) + " (" + std::to_string(plan.peak_bytes) +
                    " bytes) but " + (limits.max_memory_bytes ? "max_memory_mb allows " : "the machine has free ") +
                    bytes_text(most) + " (" + std::to_string(most) + " bytes)",
                plan.method, hint);
  }
  if (limits.max_execution_time && plan.seconds > limits.max_execution_time->count()) {
    throw Error(ErrorCode::deadline_exceeded,
                "the run is predicted to take " + seconds_text(plan.seconds) + " but max_execution_time allows " +
                    seconds_text(limits.max_execution_time->count()),
                plan.method, "raise max_execution_time, lower shots or precision, or use more threads");
  }
}

}  // namespace skerry::planning
