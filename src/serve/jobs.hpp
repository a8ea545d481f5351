/// \file
/// Circuit jobs: submitted once, run one after the other, kept until they are fetched; on disk if a folder is given.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "serve/circuits.hpp"
#include "serve/workers.hpp"

namespace skerry::serve {

struct JobOptions {
  std::filesystem::path folder;    ///< where jobs survive the server's death; empty: in memory alone
  int workers = 1;                 ///< threads for jobs
  int quick_workers = 2;           ///< threads for runs that somebody waits for
  std::size_t max_waiting = 1000;  ///< of one owner; of several each has its share of them
  /// Finished jobs whose answers are kept. Beyond that the oldest of whoever keeps most is forgotten, but no owner's
  /// last.
  std::size_t max_kept = 10'000;
  std::uint64_t max_kept_bytes = std::uint64_t{256} << 20;  ///< of their answers, likewise
  std::size_t max_known = 100'000;                          ///< tokens of forgotten answers, likewise
  CircuitLimits limits;
  /// Runs a stranger's circuit somewhere apart; empty: all run here. A job that was taken up from disk is a stranger's,
  /// since nobody says any more who sent it.
  std::function<wire::Body(const Submitter& who, const wire::CircuitRequest& request, const RunControl& control,
                           CircuitNotes& notes)>
      run_apart;
  /// Told of each job's run that has ended; refusal: why it gave nothing, or null. May be empty.
  std::function<void(const Submitter& who, const CircuitNotes& notes, const Error* refusal)> has_run;
};

/// A finished job's answer: the body that the client gets, or its error.
struct JobOutcome {
  wire::JobStatus status;
  wire::Body reply;  ///< empty unless done
};

/// Whether somebody holds a connection open for the answer; such runs have threads of their own.
enum class Urgency : std::uint8_t { job, waited_for };

struct JobCounters {
  std::uint64_t submitted = 0, done = 0, failed = 0, cancelled = 0, waiting = 0, running = 0;
};

/// All jobs of a server. Every call names the owner (who authenticated): nobody sees another's job. From any thread.
///
/// A job is acknowledged once its request lies on disk (when there is a folder): a server that is killed runs it again
/// after its restart.
class Jobs {
 public:
  /// Takes up the jobs that the folder holds. Errors: io_error.
  explicit Jobs(JobOptions options);
  /// Running jobs are stopped; those of a folder go on after the next start.
  ~Jobs();
  Jobs(const Jobs&) = delete;
  Jobs& operator=(const Jobs&) = delete;

  /// Second: true for a new job, false when the request's token is known; then that job's status.
  /// The status of a token's job is kept for longer than its answer: what was run is not run again.
  /// Errors: unavailable (too many wait), invalid_argument (the token came with another request), io_error.
  std::pair<wire::JobStatus, bool> submit(const Submitter& submitter, wire::CircuitRequest request,
                                          Urgency urgency = Urgency::job);
  /// Runs a task that is no job on the threads for runs that somebody waits for. Errors: unavailable.
  void post(std::function<void()> task, const std::string& owner);
  /// Errors: not_found.
  wire::JobStatus status(const std::string& owner, std::string_view id) const;
  std::vector<wire::JobStatus> list(const std::string& owner) const;
  wire::JobStatus cancel(const std::string& owner, std::string_view id);
  /// What there is of the answer now. Errors: not_found, also for an answer that is no longer kept.
  JobOutcome outcome(const std::string& owner, std::string_view id) const;

  /// Called with a status; false: no more of them.
  using Listener = std::function<bool(const wire::JobStatus&)>;
  /// Calls the listener with the status now and at changes, from any thread, until it says no, has heard the final one
  /// or `gone` is asked to stop, at which it is let go at once. Late progress may come after the final status.
  /// Errors: not_found.
  void listen(const std::string& owner, std::string_view id, Listener listener, const std::stop_token& gone = {});

  JobCounters counters() const;
  /// No new jobs begin; running ones are stopped after the limit, and have so long to notice; listeners are let go.
  void drain(std::chrono::milliseconds limit, std::chrono::milliseconds stop_time);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace skerry::serve
