/// \file
/// The trace sink: news from all rooms, written as Chrome trace JSON (chrome://tracing, Perfetto).
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace skerry::base {

/// One thing that was done. Views must live until TraceSink::write returns.
struct TraceEvent {
  using Value = std::variant<std::int64_t, double, std::string>;

  std::string_view name;      ///< what ("matmul")
  std::string_view category;  ///< the room ("kernels")
  std::chrono::steady_clock::time_point start;
  std::chrono::nanoseconds duration{};
  std::uint64_t thread = 0;  ///< kernel thread id
  std::vector<std::pair<std::string, Value>> fields;
};

/// An open trace file. From any thread.
class TraceSink {
 public:
  /// Truncates `path`. Errors: io_error.
  static TraceSink open(const std::filesystem::path& path);
  TraceSink(TraceSink&& other) noexcept;
  TraceSink& operator=(TraceSink&& other) noexcept;
  /// close(); what it tells is printed as a warning on stderr.
  ~TraceSink();
  /// Writes what is buffered and ends the JSON; what is written later is dropped. Gives why the file is cut short and
  /// how many events it lacks; empty when it is whole.
  std::string close() noexcept;

  /// Never throws: a full disk costs this event and those that follow, not the run.
  void write(const TraceEvent& event) noexcept;

 private:
  struct State;
  explicit TraceSink(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// Sends the process's trace to `path`; an empty path ends it. Without a call, SKERRY_TRACE=path decides at the first
/// span. Call it while no span is open. Errors: io_error.
void set_trace_file(const std::filesystem::path& path);

namespace detail {
enum class TraceState : int { unknown, off, on };
inline constinit std::atomic<TraceState> trace_state{TraceState::unknown};
bool start_trace_from_environment() noexcept;
}  // namespace detail

/// Whether spans are recorded; one relaxed load when they are not.
inline bool tracing() noexcept {
  const auto state = detail::trace_state.load(std::memory_order_acquire);
  return state == detail::TraceState::on ||
         (state == detail::TraceState::unknown && detail::start_trace_from_environment());
}

/// Records the time from its making to its end as one event of the process's trace; does nothing when there is none.
///
///     TraceSpan span("merge_rotations", "passes");
///     span.add("gates_before", count);
class TraceSpan {
 public:
  /// The views must outlive the span.
  TraceSpan(std::string_view name, std::string_view category) {
    if (tracing()) [[unlikely]]
      begin(name, category);
  }
  TraceSpan(const TraceSpan&) = delete;
  TraceSpan& operator=(const TraceSpan&) = delete;
  ~TraceSpan() {
    if (event_) [[unlikely]]
      end();
  }

  template <class T>
  void add(std::string_view key, const T& value) {
    if (!event_) [[likely]]
      return;
    if constexpr (std::is_integral_v<T>) {
      add_field(key, static_cast<std::int64_t>(value));
    } else if constexpr (std::is_floating_point_v<T>) {
      add_field(key, static_cast<double>(value));
    } else {
      add_field(key, std::string(value));
    }
  }

 private:
  void begin(std::string_view name, std::string_view category);
  void end() noexcept;
  void add_field(std::string_view key, TraceEvent::Value value);

  std::unique_ptr<TraceEvent> event_;
};

}  // namespace skerry::base
