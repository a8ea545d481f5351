/// \file
/// Where time goes: sessions that record what is done while they are open, and the processor's own counters.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace skerry {

/// What was done under one name. self_seconds: without what was done inside on the same thread.
struct ProfileTotal {
  std::string name, category;
  std::uint64_t count = 0;
  double seconds = 0.0, self_seconds = 0.0;
};

/// Records the spans that end while it is open, on all threads: runs, steps, passes, and sessions within it. Sessions
/// nest and overlap. Costs a list entry for each span; nothing is recorded, and a span costs one load, when none is
/// open. From any thread.
class ProfilerSession {
 public:
  static constexpr std::size_t kMaxEvents = 1'000'000;

  /// Begins now. What comes after max_events is counted and dropped.
  explicit ProfilerSession(std::string name, std::size_t max_events = kMaxEvents);
  /// Ends it, if nobody has; then the session is an event of those that are open.
  ~ProfilerSession();
  ProfilerSession(const ProfilerSession&) = delete;
  ProfilerSession& operator=(const ProfilerSession&) = delete;

  void end();
  const std::string& name() const noexcept;
  /// From beginning to end, or to now.
  double seconds() const;
  std::size_t events() const;
  std::uint64_t dropped() const;
  /// By name, most time of its own first.
  std::vector<ProfileTotal> totals() const;
  /// Chrome's trace JSON, for Perfetto. Errors: io_error.
  void write(const std::filesystem::path& path) const;

 private:
  friend class Profiler;
  struct State;
  std::shared_ptr<State> state_;  // shared: a profiler keeps what its sessions recorded
};

/// Keeps the sessions that were made with it, for one report of all.
///
///     skerry::Profiler profiler;
///     { const auto day = profiler.session("day"); { const auto hour = profiler.session("hour"); model.run(x); } }
///     profiler.write("day.json");
class Profiler {
 public:
  Profiler();
  ~Profiler();
  Profiler(const Profiler&) = delete;
  Profiler& operator=(const Profiler&) = delete;

  std::unique_ptr<ProfilerSession> session(std::string name, std::size_t max_events = ProfilerSession::kMaxEvents);
  /// Names of the sessions that have ended, in the order of their beginning.
  std::vector<std::string> ended() const;
  /// What all sessions recorded, each event once, as one trace. Errors: io_error.
  void write(const std::filesystem::path& path) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// The kernel's counters of what the processor does.
enum class HardwareEvent : std::uint8_t {
  cycles,
  instructions,
  cache_references,
  cache_misses,
  branches,
  branch_misses,
  task_clock_ns,
  page_faults,
  context_switches,
};
std::string_view hardware_event_name(HardwareEvent event) noexcept;
std::span<const HardwareEvent> hardware_events() noexcept;

/// Counts events of the thread that made it and of threads that thread makes later, while started. Where the kernel or
/// a virtual machine refuses a counter, it has a reason in the place of a value. Source: perf_event_open(2).
class PerformanceCounter {
 public:
  struct Reading {
    HardwareEvent event = HardwareEvent::cycles;
    std::uint64_t value = 0;  ///< scaled up where the kernel had to share the counter
    std::string refusal;      ///< empty when there is a value
  };

  explicit PerformanceCounter(std::span<const HardwareEvent> events = hardware_events());
  ~PerformanceCounter();
  PerformanceCounter(const PerformanceCounter&) = delete;
  PerformanceCounter& operator=(const PerformanceCounter&) = delete;

  /// From zero.
  void start();
  void stop();
  /// In the order of the events.
  std::vector<Reading> read() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace skerry
