/// \file
/// The trace sink: news from all rooms, written as Chrome trace JSON (chrome://tracing, Perfetto).
#pragma once

#include <array>
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

#include "base/trace_clock.hpp"

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

/// What spans are called; made once and kept.
struct SpanName {
  std::string name, category;
};
/// The one of these words. Past some thousands, which only made-up names reach, one that stands for the others.
const SpanName* span_name(std::string_view name, std::string_view category) noexcept;

/// A span without fields. Times are trace_ticks().
struct RecordedSpan {
  const SpanName* name;
  std::uint64_t begin, end;
};

/// The spans that one thread has recorded and nobody has been told of: the thread alone writes, whoever holds the
/// trace's lock reads. So few that they stay in the first-level cache.
struct SpanList {
  static constexpr std::size_t kSpans = 128;
  explicit SpanList(std::uint64_t number) noexcept : thread(number) {}
  /// By the list's own thread. Tells of all where there is no room.
  void put(const RecordedSpan& span) noexcept {
    const std::uint64_t at = written.load(std::memory_order_relaxed);
    if (at - read.load(std::memory_order_acquire) == kSpans) [[unlikely]]
      tell();
    spans[at % kSpans] = span;
    written.store(at + 1, std::memory_order_release);
  }
  void tell() noexcept;

  const std::uint64_t thread;  ///< its kernel number
  std::atomic<std::uint64_t> written{0}, read{0};
  std::array<RecordedSpan, kSpans> spans;
};
/// This thread's; null without memory, and where the thread is about to end.
SpanList* span_list() noexcept;

/// Records the time from its making to its end as one event of the process's trace; does nothing when there is none.
///
///     TraceSpan span("merge_rotations", "passes");
///     span.add("gates_before", count);
class TraceSpan {
 public:
  /// The views must outlive the span.
  TraceSpan(std::string_view name, std::string_view category) noexcept : name_(name), category_(category) {
    if (tracing()) [[unlikely]]
      begin_ = trace_ticks();
  }
  TraceSpan(const TraceSpan&) = delete;
  TraceSpan& operator=(const TraceSpan&) = delete;
  ~TraceSpan() {
    if (begin_ != 0) [[unlikely]]
      end();
  }

  template <class T>
  void add(std::string_view key, const T& value) {
    if (begin_ == 0) [[likely]]
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
  using Fields = std::vector<std::pair<std::string, TraceEvent::Value>>;
  void end() noexcept;
  void add_field(std::string_view key, TraceEvent::Value value);

  std::string_view name_, category_;
  std::uint64_t begin_ = 0;  ///< 0: nothing is recorded
  std::unique_ptr<Fields> fields_;
};

/// A span, and within it spans that follow one another, as a run's steps do: one look at the clock between two of them.
class SpanSequence {
 public:
  SpanSequence(std::string_view name, std::string_view category) noexcept : list_(tracing() ? span_list() : nullptr) {
    if (on()) [[unlikely]]
      whole_ = {span_name(name, category), trace_ticks(), 0};
  }
  SpanSequence(const SpanSequence&) = delete;
  SpanSequence& operator=(const SpanSequence&) = delete;
  ~SpanSequence() {
    if (!on()) [[likely]]
      return;
    part_.end = whole_.end = trace_ticks();
    if (part_.name != nullptr) list_->put(part_);
    list_->put(whole_);
  }
  /// Whether next() does something.
  bool on() const noexcept { return list_ != nullptr; }
  /// Ends the span before and begins this one. Only while on(), on the thread that made the sequence.
  void next(const SpanName* name) noexcept {
    part_.end = trace_ticks();
    if (part_.name != nullptr) list_->put(part_);
    part_ = {name, part_.end, 0};
  }

 private:
  SpanList* list_;
  RecordedSpan whole_{}, part_{};
};

}  // namespace skerry::base
