/// \file
/// The queue in front of a model, and what the server wants to know of it.
#pragma once

#include <chrono>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <skerry/batching.hpp>
#include <skerry/session.hpp>
#include <stop_token>
#include <string>
#include <vector>

#include "serve/statistics.hpp"

namespace skerry::serve {

using Clock = BatchClock;

/// What one caller asks of a model.
struct InferCall {
  NamedTensors inputs;  ///< every input of the graph once, in its order, shapes checked
  Clock::time_point arrived = Clock::now(), deadline = Clock::time_point::max();
  std::uint64_t priority = 0;  ///< lower is served first among those that wait
  std::stop_token stop;        ///< the caller went away
  /// Called once, from any thread, perhaps before submit() returns: outputs in the graph's order, or why there are
  /// none.
  std::function<void(std::exception_ptr, NamedTensors, const Timing&)> done;
};

/// A BatchingManager over one model, each request counted; where nobody waits and a run is brief, it is made on the
/// thread of who asks.
///
/// Requests are run together only if every input and output is of numbers with an unknown first extent, and after the
/// manager found the model's rows independent by its own answers.
class Batcher {
 public:
  /// statistics: shared with whoever reads it; it outlives the model's versions.
  Batcher(const std::shared_ptr<const Graph>& graph, const Limits& limits, const BatchingOptions& options,
          std::shared_ptr<ModelStatistics> statistics);
  /// One run in a process of its own, which tells its times.
  using RunApart = std::function<std::vector<Tensor>(std::span<const Tensor>, ApartTimes&)>;
  /// A model that runs somewhere else: each run waits, so that none is made on its caller's thread. has_rows: every
  /// input and output has an unknown first extent.
  Batcher(RunApart run, std::vector<std::string> outputs, bool has_rows, const BatchingOptions& options,
          std::shared_ptr<ModelStatistics> statistics);
  /// Runs what waits, then ends.
  ~Batcher();
  Batcher(const Batcher&) = delete;
  Batcher& operator=(const Batcher&) = delete;

  /// Errors: unavailable when the queue is full, deadline_exceeded when the deadline cannot be met any more; both at
  /// once, without waiting.
  void submit(InferCall call);
  /// Calls that wait or run.
  std::size_t waiting() const;
  bool can_batch() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace skerry::serve
