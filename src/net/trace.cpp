#include "net/trace.hpp"

#include <sys/random.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <random>

namespace skerry::net {
namespace {

// Ids must be unlike each other, not secret; a generator per thread costs nanoseconds.
void append_hex(std::string& text, int words) {
  thread_local std::mt19937_64 random = [] {
    std::uint64_t seed = 0;  // of the kernel: OpenSSL's source of random bytes takes two megabytes to begin with
    if (::getrandom(&seed, sizeof seed, 0) != sizeof seed) seed = std::random_device{}();
    return std::mt19937_64(seed);
  }();
  constexpr std::string_view kHex = "0123456789abcdef";
  for (int i = 0; i < words; ++i) {
    std::uint64_t word = random() | 1U;
    std::array<char, 16> digits;  // all are written
    for (auto digit = digits.rbegin(); digit != digits.rend(); ++digit, word >>= 4U) *digit = kHex[word & 15U];
    text.append(digits.data(), digits.size());
  }
}

bool is_hex(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

// Zeros alone are no id.
bool is_id(std::string_view text) {
  return is_hex(text) && text.find_first_not_of('0') != std::string_view::npos;
}

}  // namespace

std::string Trace::header() const {
  std::string text;
  text.reserve(55);
  return text.append("00-").append(trace_id).append("-").append(span_id).append(is_sampled ? "-01" : "-00");
}

Trace trace_of(std::string_view traceparent) {
  Trace trace;
  const bool given = traceparent.size() >= 55 && traceparent[2] == '-' && traceparent[35] == '-' &&
                     traceparent[52] == '-' && is_id(traceparent.substr(3, 32)) && is_id(traceparent.substr(36, 16)) &&
                     is_hex(traceparent.substr(53, 2)) && traceparent.substr(0, 2) != "ff";
  if (given) {
    trace.trace_id = traceparent.substr(3, 32);
    trace.parent_id = traceparent.substr(36, 16);
    const char flags = traceparent[54];  // a hex digit, whose lowest bit is the flag `sampled`
    trace.is_sampled = ((flags >= 'a' ? flags - 'a' + 10 : flags - '0') & 1) != 0;
  } else {
    trace.trace_id.reserve(32);
    append_hex(trace.trace_id, 2);
  }
  append_hex(trace.span_id, 1);
  return trace;
}

Trace child_of(const Trace& trace) {
  Trace child{.trace_id = trace.trace_id, .span_id = {}, .parent_id = trace.span_id, .is_sampled = trace.is_sampled};
  append_hex(child.span_id, 1);
  return child;
}

Trace trace_of_process() {
  const char* given = std::getenv("TRACEPARENT");
  return trace_of(given == nullptr ? std::string_view() : std::string_view(given));
}

}  // namespace skerry::net
