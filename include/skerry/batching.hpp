/// \file
/// Requests of many callers run together: who waits, who goes along, how many at once.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <skerry/metrics.hpp>
#include <skerry/tensor.hpp>
#include <span>
#include <stop_token>
#include <vector>

namespace skerry {

using BatchClock = std::chrono::steady_clock;

struct BatchingOptions {
  /// Rows that are run together, ascending: few, because a session keeps the plans of few shapes.
  std::vector<std::uint32_t> sizes = {1, 4, 16, 32};
  std::chrono::microseconds max_delay{0};  ///< a request waits that long for company at most
  std::size_t max_queue = 1024;            ///< requests that may wait; more are refused
  /// Time within which answers are wanted: batches grow and shrink so that two of them, the one that is found running
  /// and its own, end within it, and who would miss it is refused.
  std::optional<std::chrono::duration<double>> slo;
  /// Axis (from 1) along which inputs may differ; they are padded with zeros and outputs as long are cut. 0: none. For
  /// models that take a mask, or to which zeros behind do nothing.
  int ragged_axis = 0;
  double max_waste = 0.1;  ///< share of a batch that may be padding
};

/// One request as scheduling sees it.
struct BatchTicket {
  std::uint64_t id = 0;
  std::uint64_t kind = 0;  ///< only the same kind runs together
  std::uint32_t rows = 1;
  std::int64_t length = 0;     ///< along the ragged axis
  std::uint64_t priority = 0;  ///< lower goes first
  BatchClock::time_point arrived, deadline = BatchClock::time_point::max();
};

/// Which of those that wait run together. Holds no state but its settings.
class BatchOptimizer {
 public:
  /// Errors: invalid_argument for no sizes, sizes that do not ascend, a waste outside of [0, 1).
  BatchOptimizer(std::vector<std::uint32_t> sizes, double max_waste);

  /// Places of `waiting` that go with waiting[first], it included, ascending. Of the same kind, at most `most_rows`
  /// rows, as many as make the largest of the sizes; without padding those that came first, else those nearest in
  /// length as long as no more than max_waste of the batch is padding.
  std::vector<std::uint64_t> choose(std::span<const BatchTicket> waiting, std::size_t first,
                                    std::uint32_t most_rows) const;
  std::uint32_t largest() const noexcept { return sizes_.back(); }
  /// The largest size of at most so many rows; 1 when there is none.
  std::uint32_t size_within(std::uint64_t rows) const noexcept;

 private:
  std::vector<std::uint32_t> sizes_;
  double max_waste_;
};

/// How many rows a batch should have so that answers keep their time: one more after each full batch that took less
/// than half of it, a tenth fewer after one that took longer (Crankshaw et al., "Clipper", NSDI 2017, sec. 4.3). What
/// was too slow is tried again after a while, and after twice as long each time that it still is.
class BatchSizer {
 public:
  BatchSizer(std::uint32_t most_rows, std::optional<std::chrono::duration<double>> slo);
  std::uint32_t rows() const noexcept;
  /// full: the batch had as many rows as it might.
  void ran(std::uint32_t rows, std::chrono::duration<double> time, bool full) noexcept;

 private:
  std::uint32_t most_;
  std::optional<std::chrono::duration<double>> slo_;
  double rows_;
  double slow_;                                 // rows that were too many when they were tried last
  std::uint32_t patience_ = 256, batches_ = 0;  // until they are tried again; since they were
};

/// Decides when which requests run; knows no thread and no clock, so that it can be tested by the hour. One caller at a
/// time.
class BatchScheduler {
 public:
  /// Errors: invalid_argument for settings that cannot be.
  explicit BatchScheduler(const BatchingOptions& options);

  /// Errors: unavailable when the queue is full, deadline_exceeded when the deadline, or the slo, cannot be met any
  /// more; both at once, before anything waits.
  void push(const BatchTicket& ticket, BatchClock::time_point now);
  /// Ids of those that are taken out of the queue; they wait no more.
  std::vector<std::uint64_t> take_if(const std::function<bool(const BatchTicket&)>& is_taken);
  /// The same for those whose deadline is over.
  std::vector<std::uint64_t> take_late(BatchClock::time_point now);
  /// Ids that run now, of highest priority first; none: nobody has waited for max_delay and no batch is full. all:
  /// nobody is waited for.
  std::vector<std::uint64_t> next(BatchClock::time_point now, bool all = false);
  /// When next() or take_late() will give something though nobody comes; max() when nobody waits.
  BatchClock::time_point wake_time() const;
  /// So many rows run that did not wait.
  void began(std::uint32_t rows, BatchClock::time_point now) noexcept;
  /// What next() gave, or began(), has run.
  void ran(std::uint32_t rows, std::chrono::duration<double> time);
  /// Of what next() gave, these have not run and will not.
  void dropped(std::uint32_t rows) noexcept { running_rows_ -= rows < running_rows_ ? rows : running_rows_; }

  /// From now on every request runs alone and at once.
  void never_together() noexcept;

  /// What a run of so many rows takes at most, by those that were no larger; 0 when nothing has run.
  std::chrono::duration<double> at_most(std::uint32_t rows) const noexcept;

  std::size_t waiting() const noexcept { return waiting_.size(); }
  /// Rows that a batch may have at the moment.
  std::uint32_t rows() const noexcept { return sizer_.rows(); }

 private:
  BatchingOptions options_;
  BatchOptimizer optimizer_;
  BatchSizer sizer_;
  std::vector<BatchTicket> waiting_;  // by priority, then arrival
  std::uint32_t running_rows_ = 0;
  BatchClock::time_point running_since_;
  std::array<double, 33> batch_costs_{};  // by the number of digits of their rows; 0: none has run
  double cost_seconds_ = 1.0;             // seconds for a unit of cost, mean of late

  void require_time(const BatchTicket& ticket, BatchClock::time_point now) const;
  double seconds_for(std::uint64_t rows) const noexcept;
  double seconds_of_batch(std::uint64_t rows) const noexcept;
};

/// Where the time of a request went, and of the run that it shared.
struct BatchTimes {
  BatchClock::duration queue{};  ///< until its run began
  BatchClock::duration stack{};  ///< until the rows of all stood in one tensor
  BatchClock::duration run{};    ///< of the model
  BatchClock::duration total{};  ///< until it is answered
  std::uint32_t rows = 1;        ///< of the run, those of others included
};

/// What one caller asks.
struct BatchRequest {
  std::vector<Tensor> inputs;  ///< the first extent of each is the number of rows
  std::uint64_t priority = 0;  ///< lower goes first
  BatchClock::time_point arrived = BatchClock::now(), deadline = BatchClock::time_point::max();
  std::stop_token stop = {};  ///< the caller went away
  /// Called once, from any thread, perhaps before submit() returns: the outputs, or why there are none. Must not throw.
  std::function<void(std::exception_ptr, std::vector<Tensor>, const BatchTimes&)> done = {};
};

struct BatchingStatistics {
  std::uint64_t answered = 0, failed = 0;
  std::uint64_t rejected = 0;  ///< at once: queue full, or too late
  std::uint64_t expired = 0;   ///< whose time was over, or whose caller left, while they waited
  std::uint64_t runs = 0, rows = 0;
  std::uint64_t elements = 0, padding = 0;  ///< of inputs of batches; padding is the part that nobody sent
  std::size_t waiting = 0;
  std::uint32_t batch_rows = 0;  ///< that a batch may have at the moment
  HistogramSnapshot latency;     ///< seconds of answered requests, waiting included

  double waste() const noexcept {
    return elements == 0 ? 0.0 : static_cast<double>(padding) / static_cast<double>(elements);
  }
};

/// Runs requests of many threads in batches on a thread of its own.
///
///     skerry::BatchingManager batching(
///         [&](auto inputs) { return engine.run_inference(*model, inputs); }, {.max_delay = 2ms});
///     auto outputs = batching.run({image});        // from any thread
///
/// The first batch of more than one is run both ways, together and one by one; a model that mixes its rows gives other
/// answers then and is never batched, and neither is one that takes no batch.
class BatchingManager {
 public:
  /// One run of the model.
  using Run = std::function<std::vector<Tensor>(std::span<const Tensor>)>;
  /// Told of each run when it has ended, before those who asked for it.
  using Heard = std::function<void(const BatchTimes&)>;

  /// Errors: as BatchScheduler.
  BatchingManager(Run run, const BatchingOptions& options, Heard heard = {});
  /// As end().
  ~BatchingManager();
  BatchingManager(const BatchingManager&) = delete;
  BatchingManager& operator=(const BatchingManager&) = delete;

  /// A request without rows, or without inputs, runs alone. Errors: as BatchScheduler::push(); unavailable also after
  /// end(); invalid_argument for nobody to answer.
  void submit(BatchRequest request);
  /// The same for a caller that waits. Errors: also those of the run.
  std::vector<Tensor> run(std::vector<Tensor> inputs, std::uint64_t priority = 0,
                          BatchClock::time_point deadline = BatchClock::time_point::max());
  BatchingStatistics statistics() const;
  /// Refuses what comes, runs what waits, then ends its thread; one caller at a time, and not the thread itself.
  void end();

  /// From now on a request whose run takes less than that is run on its caller's thread while nobody waits, because
  /// waking another thread would take longer: Run is called by several threads at once then. Not where requests wait
  /// for company.
  void run_brief_at_once(std::chrono::duration<double> below);
  /// Whether requests may be run together, as far as is known.
  bool can_batch() const;
  /// Requests that wait or run.
  std::size_t in_flight() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace skerry
