/// \file
/// Trace contexts as they travel between programs (https://www.w3.org/TR/trace-context/).
#pragma once

#include <string>
#include <string_view>

namespace skerry::net {

/// Who asked, and this program's part of it.
struct Trace {
  std::string trace_id;        ///< 32 hex digits, the caller's or a new one
  std::string span_id;         ///< 16 hex digits, this part's own
  std::string parent_id = {};  ///< 16 hex digits of the caller's span; empty: this part began the trace
  bool is_sampled = true;      ///< the caller may have decided that nobody records it
  /// The header `traceparent` for whoever is asked next.
  std::string header() const;
};

/// A part of the trace that this `traceparent` tells of; a malformed or absent one begins a new trace.
Trace trace_of(std::string_view traceparent);
/// A part of this part.
Trace child_of(const Trace& trace);
/// For what this program asks of its own accord: a part of the trace in the variable TRACEPARENT, or a new one.
Trace trace_of_process();

}  // namespace skerry::net
