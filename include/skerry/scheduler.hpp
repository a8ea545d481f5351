/// \file
/// Who runs next: priorities, deadlines and fair shares over a few worker threads of one process.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <optional>
#include <skerry/progress.hpp>
#include <stop_token>
#include <string>

namespace skerry {

using SchedulerClock = std::chrono::steady_clock;

struct SchedulerOptions {
  int workers = 0;                           ///< tasks that run at once; 0: the process's budget of threads
  int reserved_workers = 0;                  ///< of these, for tasks of reserved_priority or more urgent alone
  int reserved_priority = 0;                 ///< see reserved_workers
  std::size_t max_queue = 1024;              ///< tasks that wait; more are refused
  std::chrono::duration<double> aging{1.0};  ///< whoever waited longer goes before every priority; 0: never
  /// The time, for tests that let it pass as they like. Empty: the steady clock.
  std::function<SchedulerClock::time_point()> now;
};

/// How one task wants to be treated.
struct TaskOptions {
  int priority = 1;    ///< lower goes first
  std::string tenant;  ///< whose share it takes; tenants of one priority share by their weights
  std::optional<SchedulerClock::time_point> deadline;
  double expected_seconds = 0.0;  ///< 0: the mean of what the tenant's tasks took
  /// Called instead of the task when it never begins, after it was taken. It may not call the scheduler.
  std::function<void(std::exception_ptr)> dropped;
};

/// A task that was taken: wait for `done`, or ask it to stop.
struct TaskTicket {
  std::future<void> done;  ///< throws what the task threw; deadline_exceeded, cancelled if it never began
  std::stop_source stop;
};

struct TenantStatistics {
  std::uint64_t completed = 0, waiting = 0;
  double seconds = 0.0;  ///< of service
  double weight = 1.0;
};

struct SchedulerStatistics {
  std::uint64_t submitted = 0, completed = 0, failed = 0;
  std::uint64_t refused = 0;    ///< no room, or the deadline could not be met any more
  std::uint64_t expired = 0;    ///< their deadline passed while they waited
  std::uint64_t cancelled = 0;  ///< before they began
  std::size_t waiting = 0, running = 0;
  std::map<std::string, TenantStatistics> tenants;
};

/// A queue and its workers. Among the tasks that wait the next is: whoever waited longer than `aging`; then the lowest
/// priority; then the tenant that had least of its share (start-time fair queueing: Goyal, Vin, Cheng 1996); then the
/// earliest deadline (Liu, Layland 1973); then whoever came first. Tasks are never interrupted, so a reserved worker is
/// what bounds how long an urgent one waits. From any thread.
class RuntimeScheduler {
 public:
  /// Errors: invalid_argument naming the field.
  explicit RuntimeScheduler(SchedulerOptions options = {});
  /// As shutdown() without grace.
  ~RuntimeScheduler();
  RuntimeScheduler(const RuntimeScheduler&) = delete;
  RuntimeScheduler& operator=(const RuntimeScheduler&) = delete;

  /// The task is given a control with its stop token and deadline. Errors, at once: unavailable (full, or shut down),
  /// deadline_exceeded (it cannot be met any more behind those that go first), invalid_argument (expected_seconds).
  TaskTicket submit(std::function<void(const RunControl&)> task, TaskOptions options = {});
  /// Share of a tenant among those of its priority; 1 where nothing is said. Errors: invalid_argument unless positive.
  void set_weight(const std::string& tenant, double weight);
  /// Waits until nothing waits or runs.
  void wait_idle();
  /// Refuses what comes, lets what waits and runs end for so long, then cancels what waits and stops what runs; ends
  /// the workers. Gives whether all of it ended by itself. Not from inside a task.
  bool shutdown(std::chrono::duration<double> grace = std::chrono::duration<double>(0));
  SchedulerStatistics statistics() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace skerry
