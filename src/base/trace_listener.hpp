/// \file
/// Those who want to hear of every span beside the trace file.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/trace.hpp"

namespace skerry::base {

/// A TraceEvent that lives on; one for all who hear of it.
struct RecordedEvent {
  std::string name, category;
  std::chrono::steady_clock::time_point start;
  std::chrono::nanoseconds duration{};
  std::uint64_t thread = 0;
  std::vector<std::pair<std::string, TraceEvent::Value>> fields;
};

/// Spans that one thread recorded, in the order of their ends.
struct SpanBatch {
  std::uint64_t thread = 0;
  std::vector<RecordedSpan> spans;
};

class TraceListener {
 public:
  TraceListener() = default;
  TraceListener(const TraceListener&) = delete;
  TraceListener& operator=(const TraceListener&) = delete;
  virtual ~TraceListener() = default;
  /// From any thread. It may throw std::bad_alloc; then the event is lost.
  virtual void hear(const std::shared_ptr<const RecordedEvent>& event) = 0;
  /// The same of many, some time after they ended. It must neither end spans nor add or remove listeners.
  virtual void hear(const std::shared_ptr<const SpanBatch>& batch) = 0;
};

/// Tells of all spans that have ended so far; so do a thread whose list is full or that ends, and whoever begins or
/// ends to listen.
void flush_trace() noexcept;
void add_trace_listener(std::shared_ptr<TraceListener> listener);
/// It has heard of all spans that ended before.
void remove_trace_listener(const TraceListener* listener) noexcept;
/// Tells the trace file and all listeners.
void tell_trace(const std::shared_ptr<const RecordedEvent>& event) noexcept;

/// The kernel's number of this thread, as events have it.
std::uint64_t thread_number() noexcept;

}  // namespace skerry::base
