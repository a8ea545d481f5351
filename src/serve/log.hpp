/// \file
/// Structured logs, one JSON object a line, and the W3C trace context that ties them to their callers.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace skerry::serve {

using LogValue = std::variant<std::string_view, double, std::uint64_t>;

/// Writes `{"time": "...", "level": "...", "event": "...", ...}` and a line's end to standard error, at once and whole.
/// From any thread; what cannot be written is lost.
void log_line(std::string_view level, std::string_view event,
              std::initializer_list<std::pair<std::string_view, LogValue>> fields) noexcept;

/// A trace context (https://www.w3.org/TR/trace-context/): who asked, and this server's part of it.
struct Trace {
  std::string trace_id;        ///< 32 hex digits, the caller's or a new one
  std::string span_id;         ///< 16 hex digits, this request's own
  std::string parent_id = {};  ///< 16 hex digits of the caller's span; empty: this request began the trace
  bool is_sampled = true;      ///< the caller may have decided that nobody records it
  /// The header that goes on with the answer.
  std::string header() const {
    std::string text;
    text.reserve(55);
    return text.append("00-").append(trace_id).append("-").append(span_id).append(is_sampled ? "-01" : "-00");
  }
};

/// The trace of a request with this `traceparent`; a malformed or absent one begins a new trace.
Trace trace_of(std::string_view traceparent);

}  // namespace skerry::serve
