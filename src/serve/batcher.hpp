/// \file
/// The queue in front of a model: bounded, by priority and deadline, gathering requests into batches.
#pragma once

#include <chrono>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <skerry/session.hpp>
#include <stop_token>
#include <vector>

#include "serve/statistics.hpp"

namespace skerry::serve {

using Clock = std::chrono::steady_clock;

/// What one caller asks of a model.
struct InferCall {
  NamedTensors inputs;  ///< every input of the graph once, shapes checked
  Clock::time_point arrived = Clock::now(), deadline = Clock::time_point::max();
  std::uint64_t priority = 0;  ///< lower is served first among those that wait
  std::stop_token stop;        ///< the caller went away
  /// Called once, from any thread, perhaps before submit() returns: outputs in the graph's order, or why there are
  /// none.
  std::function<void(std::exception_ptr, NamedTensors, const Timing&)> done;
};

struct BatchOptions {
  std::vector<std::uint32_t> preferred = {4, 16, 32};  ///< rows run together, ascending; none: every request alone
  std::chrono::microseconds max_delay{0};              ///< a request waits that long for company at most
  std::size_t max_queue = 1024;                        ///< more are refused
};

/// Whether a request behind `before` others would end after its time. row_seconds: of one run; left: until the
/// deadline.
bool ends_too_late(std::size_t before, double row_seconds, std::chrono::duration<double> left) noexcept;

/// Runs the calls of one model one batch after the other on a thread of its own; where nobody waits and a run is brief,
/// on the thread of who asks, because waking another one would take longer.
///
/// Requests are run together only if every input and output has an unknown first extent, and after the first batch was
/// run both ways, alone and together, and gave the same: a model that mixes its rows is found out by its own answers.
class Batcher {
 public:
  /// statistics: shared with whoever reads it; it outlives the model's versions.
  Batcher(const std::shared_ptr<const Graph>& graph, const Limits& limits, BatchOptions options,
          std::shared_ptr<ModelStatistics> statistics);
  /// A model that runs somewhere else: each run waits, so that none is made on its caller's thread. has_rows: every
  /// input and output has an unknown first extent.
  using RunApart = std::function<NamedTensors(const NamedTensors& inputs)>;
  Batcher(RunApart run, bool has_rows, BatchOptions options, std::shared_ptr<ModelStatistics> statistics);
  /// Runs what waits, then ends.
  ~Batcher();
  Batcher(const Batcher&) = delete;
  Batcher& operator=(const Batcher&) = delete;

  /// Errors: unavailable when the queue is full, deadline_exceeded when the deadline cannot be met any more; both at
  /// once, without waiting.
  void submit(InferCall call);
  /// Calls that wait or run.
  std::size_t waiting() const;
  bool can_batch() const noexcept;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace skerry::serve
