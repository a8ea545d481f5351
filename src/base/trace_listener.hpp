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

class TraceListener {
 public:
  TraceListener() = default;
  TraceListener(const TraceListener&) = delete;
  TraceListener& operator=(const TraceListener&) = delete;
  virtual ~TraceListener() = default;
  /// From any thread. It may throw std::bad_alloc; then the event is lost.
  virtual void hear(const std::shared_ptr<const RecordedEvent>& event) = 0;
};

void add_trace_listener(std::shared_ptr<TraceListener> listener);
/// It may hear of spans that end at this moment.
void remove_trace_listener(const TraceListener* listener) noexcept;
/// Tells the trace file and all listeners.
void tell_trace(const std::shared_ptr<const RecordedEvent>& event) noexcept;

/// The kernel's number of this thread, as events have it.
std::uint64_t thread_number() noexcept;

}  // namespace skerry::base
