#include <cmath>
#include <skerry/edge.hpp>
#include <skerry/error.hpp>

#include "base/number_text.hpp"
#include "net/url.hpp"

namespace skerry::edge {
namespace {

// More than any machine has, and exact to convert to bytes.
constexpr double kMostMegabytes = 9.2e12;

void check_number(const char* field, double value, double least, double most) {
  if (value >= least && value <= most) return;  // NaN fails both
  throw Error(ErrorCode::invalid_argument, std::string(field) + " is " + base::number_text(value), field,
              "give a number from " + base::number_text(least) + " to " + base::number_text(most));
}

}  // namespace

void EdgeExecutionConfig::validate() const {
  check_number("max_memory_mb", max_memory_mb, 0.0, kMostMegabytes);
  check_number("max_execution_time", max_execution_time, 0.0, 1e9);
  check_number("cache_size_mb", cache_size_mb, 0.0, kMostMegabytes);
  check_number("outbox_size_mb", outbox_size_mb, 0.0, kMostMegabytes);
  check_number("threads", threads, 0, 4096);
  check_number("max_cuts", max_cuts, 0, 16);
  check_number("cloud_timeout", cloud_timeout, 1e-3, 1e9);
  if (!cloud_endpoint.empty()) net::parse_url(cloud_endpoint, "cloud_endpoint");
  if (cloud_api_key.find_first_of("\r\n") != std::string::npos)
    throw Error(ErrorCode::invalid_argument, "cloud_api_key has a line break", "cloud_api_key", "give one line");
  if (!cloud_key.empty() && cloud_certificate.empty()) {
    throw Error(ErrorCode::invalid_argument, "cloud_key is given without cloud_certificate", "cloud_certificate",
                "give both or neither");
  }
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
