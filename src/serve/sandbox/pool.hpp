/// \file
/// Worker processes, and who is sent to them.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "base/descriptor.hpp"
#include "serve/auth.hpp"
#include "serve/sandbox/channel.hpp"
#include "serve/sandbox/process.hpp"
#include "serve/sandbox/worker.hpp"
#include "serve/telemetry.hpp"

namespace skerry::serve {

struct PoolOptions {
  int processes = 0;  ///< 0: everything runs in the server itself
  /// Whose circuits go to a worker: `all`, `others` (everybody but admins), `tenant:NAME`, `key:NAME`. `model:NAME` and
  /// `models` are the repository's.
  std::vector<std::string> untrusted = {"all"};
  CircuitLimits limits;                              ///< of every run
  std::filesystem::path program = "/proc/self/exe";  ///< that hands `serve-worker` to run_worker()
  /// Given what a worker did as a part of the run's trace, by a process that may be anybody's: ids, names and times are
  /// checked. May be empty.
  std::function<void(Span)> tell;
};

struct PoolCounters {
  std::uint64_t runs = 0, retried = 0, started = 0;
  std::uint64_t idle = 0, busy = 0;                                         ///< now
  std::uint64_t crashed = 0, memory = 0, cpu = 0, deadline = 0, owner = 0;  ///< ends of processes by their cause
  SandboxState sandbox;                                                     ///< of the newest
};

/// Runs circuits in processes that are shut in (sandbox.hpp). A process serves one owner; another owner gets a new one.
/// One that dies in the middle is replaced, and its run is begun again once. From any thread.
class WorkerPool {
 public:
  /// Starts processes in the background. Errors: invalid_argument (untrusted).
  explicit WorkerPool(PoolOptions options);
  /// Kills what runs.
  ~WorkerPool();
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  /// Whether this one's circuits belong in a worker.
  bool takes(const Principal& principal) const noexcept;

  /// The answer to a request, as run_circuits() would have given it, encoded.
  /// Errors: those of run_circuits(); budget_exceeded, deadline_exceeded when the process took more memory or time than
  /// it may; internal or unavailable when it died twice, with the cause; unavailable when none can be started.
  wire::Body run(const Submitter& who, const wire::CircuitRequest& request, const RunControl& control,
                 CircuitNotes& notes);
  /// The same for the price: plan_text(). Errors: those of plan_circuits(), and as above.
  wire::Body plan(const Submitter& who, const wire::CircuitRequest& request, const RunControl& control,
                  CircuitNotes& notes);

  PoolCounters counters() const;

 private:
  using Process = WorkerProcess;
  using ProcessPtr = WorkerPtr;

  struct Task;
  wire::Body ask(const Task& task, const RunControl& control, CircuitNotes& notes);
  wire::Body attempt(Process& process, const Task& task, const RunControl& control, CircuitNotes& notes);
  void tell(const Process& process, const Task& task, const AnswerHead& head,
            std::chrono::system_clock::time_point sent) const;
  ProcessPtr acquire(const std::string& owner, const RunControl& control);
  void give_back(ProcessPtr process);
  void lose(ProcessPtr process);
  void supervise();
  void look_at_idle();

  PoolOptions options_;
  bool all_ = false, others_ = false;
  std::uint64_t data_bytes_ = 0;
  base::Descriptor wake_;  // an eventfd: the supervisor has something to do
  mutable std::mutex mutex_;
  std::condition_variable_any changed_;
  std::vector<ProcessPtr> idle_, retired_;
  std::uint64_t news_ = 0;  // counts what may interest those who wait for a process
  int alive_ = 0;           // idle or busy
  bool ending_ = false;
  std::stop_source end_;
  std::string trouble_;  // why none can be started; empty: they can
  PoolCounters counters_;
  std::thread supervisor_;
};

}  // namespace skerry::serve
