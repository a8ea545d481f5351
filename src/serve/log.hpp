/// \file
/// Structured logs, one JSON object a line, and the W3C trace context that ties them to their callers.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "net/trace.hpp"

namespace skerry::serve {

using LogValue = std::variant<std::string_view, double, std::uint64_t>;

/// Writes `{"time": "...", "level": "...", "event": "...", ...}` and a line's end to standard error, at once and whole.
/// From any thread; what cannot be written is lost.
void log_line(std::string_view level, std::string_view event,
              std::initializer_list<std::pair<std::string_view, LogValue>> fields) noexcept;

/// Whether lines of a level (`info`, `warning`, `error`) are written; all are at first.
void set_log_level(std::string_view level, bool is_written) noexcept;
bool is_logged(std::string_view level) noexcept;

using net::Trace;
using net::trace_of;

}  // namespace skerry::serve
