#include <cmath>
#include <skerry/edge.hpp>
#include <skerry/error.hpp>

namespace skerry::edge {
namespace {

// More than any machine has, and exact to convert to bytes.
constexpr double kMostMegabytes = 9.2e12;

void check_number(const char* field, double value, double least, double most) {
  if (value >= least && value <= most) return;  // NaN fails both
  throw Error(ErrorCode::invalid_argument, std::string(field) + " is " + std::to_string(value), field,
              "give a number from " + std::to_string(least) + " to " + std::to_string(most));
}

}  // namespace

void EdgeExecutionConfig::validate() const {
  check_number("max_memory_mb", max_memory_mb, 0.0, kMostMegabytes);
  check_number("max_execution_time", max_execution_time, 0.0, 1e9);
  check_number("cache_size_mb", cache_size_mb, 0.0, kMostMegabytes);
  check_number("threads", threads, 0, 4096);
}

std::string_view execution_method_name(ExecutionMethod method) noexcept {
  switch (method) {
    case ExecutionMethod::edge:
      return "edge";
    case ExecutionMethod::cloud:
      return "cloud";
    case ExecutionMethod::hybrid:
      return "hybrid";
  }
  return "";
}

}  // namespace skerry::edge
