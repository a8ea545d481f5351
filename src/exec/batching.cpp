#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <future>
#include <mutex>
#include <skerry/batching.hpp>
#include <skerry/error.hpp>
#include <string>
#include <thread>
#include <utility>

#include "base/account.hpp"
#include "exec/row_trust.hpp"
#include "exec/rows.hpp"

namespace skerry {
namespace {

using exec::RowTrust;

constexpr double kFirstLatency = 20e-6;  // of the histogram's bins, each 1.3 times the one before: up to 13 s
constexpr std::size_t kLatencyBins = 52;
constexpr int kMostAtOnce = 2;  // runs, where callers make brief ones themselves
constexpr const char* kLeft = "the caller went away while it waited";
constexpr const char* kLate = "the time was over while the request waited";

struct Pending {
  BatchRequest request;
  BatchTicket ticket;
};

std::int64_t length_of(std::span<const Tensor> inputs, int axis) {
  for (const Tensor& input : inputs)
    if (axis > 0 && input.shape().rank() > axis) return input.shape()[axis];
  return 0;
}

}  // namespace

struct BatchingManager::State {
  State(Run run, const BatchingOptions& given, Heard ran)
      : model(std::move(run)),
        heard(std::move(ran)),
        options(given),
        scheduler(given),
        account(base::current_account()),
        trust(given.ragged_axis),
        latency(growing_bounds(kFirstLatency, 1.3, kLatencyBins)) {}

  const Run model;
  const Heard heard;
  const BatchingOptions options;

  mutable std::mutex mutex;
  std::condition_variable changed;
  BatchScheduler scheduler;               // of the mutex
  std::vector<Pending> places;            // of the mutex; a ticket's id is its place
  std::vector<std::uint64_t> free;        // of the mutex: places where nobody is
  std::uint64_t loners = 0;               // of the mutex: requests that are of no other's kind
  std::chrono::duration<double> brief{};  // of the mutex
  int runs_now = 0;                       // of the mutex
  bool is_working = false;                // of the mutex: the thread runs, and looks at the queue afterwards
  bool ending = false;                    // of the mutex

  const std::shared_ptr<base::Account> account;  // who made the manager pays for its batches
  RowTrust trust;                                // of the thread
  std::atomic<std::size_t> in_flight{0};         // requests that are not answered
  Counter answered, failed, rejected, expired, runs, rows, elements, padding;
  Histogram latency;
  std::thread thread;

  void work() {
    const base::AccountScope scope(account);
    std::vector<Pending> batch;
    std::unique_lock lock(mutex);
    for (;;) {
      const auto now = BatchClock::now();
      if (take(scheduler.take_late(now), batch)) {
        lock.unlock();
        for (Pending& one : batch) expire(one, ErrorCode::deadline_exceeded, kLate);
        batch.clear();
        lock.lock();
        continue;
      }
      // Where callers make as many runs as may be, they tell when one has ended.
      const bool is_free = runs_now < kMostAtOnce;
      if (is_free && take(scheduler.next(now, ending), batch)) {
        is_working = true;
        run_unlocked(batch, now, lock);
        is_working = false;
        continue;
      }
      if (ending && scheduler.waiting() == 0) return;
      const auto wake = is_free ? scheduler.wake_time() : BatchClock::time_point::max();
      if (wake == BatchClock::time_point::max()) {
        changed.wait(lock);
      } else {
        changed.wait_until(lock, wake);
      }
    }
  }

  // Whether who brings this had better run it, as nobody waits.
  bool is_brief(const BatchTicket& ticket) const {
    if (runs_now >= kMostAtOnce || scheduler.waiting() != 0 || options.max_delay.count() != 0) return false;
    const auto expected = scheduler.at_most(ticket.rows);
    return expected.count() > 0.0 && expected < brief;
  }

  // Runs what has left the queue.
  void run_unlocked(std::vector<Pending>& batch, BatchClock::time_point begin, std::unique_lock<std::mutex>& lock) {
    ++runs_now;
    lock.unlock();
    std::uint32_t rows_run = 0, rows_dropped = 0;
    std::erase_if(batch, [&](Pending& one) {
      (is_wanted(one) ? rows_run : rows_dropped) += one.ticket.rows;
      return !one.request.done;
    });
    if (!batch.empty()) run(batch);
    const auto time = BatchClock::now() - begin;
    batch.clear();
    lock.lock();
    --runs_now;
    scheduler.dropped(rows_dropped);
    scheduler.ran(rows_run, time);
  }

  // On its caller's thread. Others may run as soon as the model has, not only when this one is answered, and what the
  // answer takes says nothing of the next run.
  void run_at_once(Pending one, std::unique_lock<std::mutex>& lock) {
    ++runs_now;
    lock.unlock();
    std::vector<Tensor> outputs;
    BatchTimes times;
    const bool has_run = is_wanted(one) && run_alone(one, outputs, times);
    lock.lock();
    --runs_now;
    if (has_run) {
      scheduler.ran(one.ticket.rows, times.run);
    } else {
      scheduler.dropped(one.ticket.rows);
    }
    const bool is_left = scheduler.waiting() != 0;
    lock.unlock();
    if (is_left) changed.notify_one();
    if (has_run) answer(one, std::move(outputs), times);
  }

  // False: there are none.
  bool take(const std::vector<std::uint64_t>& ids, std::vector<Pending>& taken) {
    taken.reserve(ids.size());
    for (const std::uint64_t id : ids) {
      taken.push_back(std::move(places[id]));
      free.push_back(id);  // there is room: submit() made it
    }
    return !ids.empty();
  }

  // Those whose callers left give their places to others; nobody looks at them before. False: there are none.
  bool drop_gone(std::unique_lock<std::mutex>& lock) {
    const auto is_gone = [this](const BatchTicket& ticket) { return places[ticket.id].request.stop.stop_requested(); };
    std::vector<Pending> gone;
    if (!take(scheduler.take_if(is_gone), gone)) return false;
    lock.unlock();
    for (Pending& one : gone) expire(one, ErrorCode::cancelled, kLeft);
    lock.lock();
    return true;
  }

  // False: it was told that it is not run any more.
  bool is_wanted(Pending& one) {
    if (one.request.stop.stop_requested()) {
      expire(one, ErrorCode::cancelled, kLeft);
    } else if (one.ticket.deadline != BatchClock::time_point::max() && one.ticket.deadline <= BatchClock::now()) {
      expire(one, ErrorCode::deadline_exceeded, kLate);
    }
    return one.request.done != nullptr;
  }

  void end(Pending& one, std::exception_ptr why, std::vector<Tensor> outputs, const BatchTimes& times) {
    in_flight.fetch_sub(1, std::memory_order_relaxed);
    one.request.inputs.clear();  // before its caller goes on, who may want to be their last holder
    std::exchange(one.request.done, nullptr)(std::move(why), std::move(outputs), times);
  }

  void expire(Pending& one, ErrorCode code, const char* why) {
    expired.add();
    end(one, std::make_exception_ptr(Error(code, why, "queue")), {}, {});
  }

  void answer(Pending& one, std::vector<Tensor> outputs, BatchTimes& times) {
    answered.add();
    times.total = BatchClock::now() - one.ticket.arrived;
    latency.record(std::chrono::duration<double>(times.total).count());
    end(one, nullptr, std::move(outputs), times);
  }

  void run(std::vector<Pending>& batch) {
    std::vector<exec::RowsAsked> asked;
    if (batch.size() > 1)
      for (const Pending& one : batch) asked.push_back({&one.request.inputs, one.ticket.rows, one.ticket.length});
    const RowTrust::Way way = asked.empty() ? RowTrust::Way::alone : trust.way_of(asked);
    if (way == RowTrust::Way::both) return run_both_ways(batch, asked);
    if (way == RowTrust::Way::together && run_together(batch, asked)) return;
    for (Pending& one : batch) {
      BatchTimes times;
      std::vector<Tensor> outputs;
      if (run_alone(one, outputs, times)) answer(one, std::move(outputs), times);
    }
  }

  // False: it failed, which is told.
  bool run_alone(Pending& one, std::vector<Tensor>& outputs, BatchTimes& times) {
    try {
      const auto begin = BatchClock::now();
      times.queue = begin - one.ticket.arrived;
      times.rows = one.ticket.rows;
      outputs = run_counted(one.request.inputs, begin, times);
      return true;
    } catch (...) {
      failed.add();
      end(one, std::current_exception(), {}, {});
      return false;
    }
  }

  void run_both_ways(std::vector<Pending>& batch, const std::vector<exec::RowsAsked>& asked) {
    RowTrust::Outputs alone(batch.size());
    std::vector<BatchTimes> times(batch.size());
    bool all_ran = true;
    for (std::size_t i = 0; i < batch.size(); ++i) all_ran = run_alone(batch[i], alone[i], times[i]) && all_ran;
    if (all_ran) {
      trust.prove(asked, alone, [&] {
        BatchTimes of_all;
        return outputs_together(asked, of_all);
      });
    }
    if (trust.is_broken()) {
      const std::lock_guard lock(mutex);
      scheduler.never_together();
    }
    for (std::size_t i = 0; i < batch.size(); ++i)
      if (batch[i].request.done) answer(batch[i], std::move(alone[i]), times[i]);
  }

  // False: it failed, which may be the fault of one of them, so each is run alone.
  bool run_together(std::vector<Pending>& batch, const std::vector<exec::RowsAsked>& asked) {
    const auto begin = BatchClock::now();
    BatchTimes times;
    RowTrust::Outputs outputs;
    try {
      outputs = outputs_together(asked, times);
    } catch (const std::exception&) {
      return false;
    }
    for (std::size_t i = 0; i < batch.size(); ++i) {
      times.queue = begin - batch[i].ticket.arrived;
      answer(batch[i], std::move(outputs[i]), times);
    }
    return true;
  }

  RowTrust::Outputs outputs_together(const std::vector<exec::RowsAsked>& asked, BatchTimes& times) {
    const auto begin = BatchClock::now();
    const exec::StackedRows all = trust.stacked(asked);
    times.rows = 0;
    for (const exec::RowsAsked& one : asked) times.rows += one.rows;
    const auto start = BatchClock::now();
    times.stack = start - begin;
    const std::vector<Tensor> outputs = run_counted(all.inputs, start, times);
    padding.add(all.padding);
    return trust.parts(outputs, asked);
  }

  std::vector<Tensor> run_counted(const std::vector<Tensor>& inputs, BatchClock::time_point begin, BatchTimes& times) {
    std::vector<Tensor> outputs = model(inputs);
    times.run = BatchClock::now() - begin;
    runs.add();
    rows.add(times.rows);
    for (const Tensor& input : inputs) elements.add(static_cast<std::uint64_t>(input.shape().elements()));
    if (heard) heard(times);
    return outputs;
  }
};

BatchingManager::BatchingManager(Run run, const BatchingOptions& options, Heard ran)
    : state_(std::make_unique<State>(std::move(run), options, std::move(ran))) {
  state_->thread = std::thread([state = state_.get()] { state->work(); });
}

BatchingManager::~BatchingManager() {
  end();
}

void BatchingManager::end() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->ending = true;
  }
  state_->changed.notify_all();
  if (state_->thread.joinable()) state_->thread.join();
}

void BatchingManager::submit(BatchRequest request) {
  if (!request.done) throw Error(ErrorCode::invalid_argument, "a request without anybody to answer", "request");
  State& state = *state_;
  const std::int64_t rows = exec::common_rows(request.inputs);
  BatchTicket ticket{.rows = static_cast<std::uint32_t>(std::clamp<std::int64_t>(rows, 1, 1 << 30)),
                     .length = length_of(request.inputs, state.options.ragged_axis),
                     .priority = request.priority,
                     .arrived = request.arrived,
                     .deadline = request.deadline};
  std::unique_lock lock(state.mutex);
  if (state.ending) throw Error(ErrorCode::unavailable, "the manager has ended", "request");
  if (state.is_brief(ticket)) {
    state.in_flight.fetch_add(1, std::memory_order_relaxed);
    state.scheduler.began(ticket.rows, ticket.arrived);
    return state.run_at_once({std::move(request), ticket}, lock);
  }
  for (bool is_first = true;; is_first = false) {
    if (state.free.empty()) {
      state.free.reserve(state.places.size() + 1);
      state.places.emplace_back();
      state.free.push_back(state.places.size() - 1);
    }
    ticket.id = state.free.back();
    // What has no rows runs alone: nothing is of its kind.
    ticket.kind = rows > 0 ? exec::row_kind(request.inputs, state.options.ragged_axis) : ++state.loners;
    try {
      const bool is_timed = ticket.deadline != BatchClock::time_point::max() || state.options.slo;
      state.scheduler.push(ticket, is_timed ? BatchClock::now() : ticket.arrived);
      break;
    } catch (const Error&) {
      if (is_first && state.drop_gone(lock)) continue;
      state.rejected.add();
      throw;
    }
  }
  state.in_flight.fetch_add(1, std::memory_order_relaxed);
  state.free.pop_back();
  state.places[ticket.id] = {std::move(request), ticket};
  const bool is_awaited = !state.is_working;  // else the thread looks at the queue when its run has ended
  lock.unlock();
  if (is_awaited) state.changed.notify_one();
}

std::vector<Tensor> BatchingManager::run(std::vector<Tensor> inputs, std::uint64_t priority,
                                         BatchClock::time_point deadline) {
  std::promise<std::vector<Tensor>> answer;
  auto outputs = answer.get_future();
  submit({.inputs = std::move(inputs),
          .priority = priority,
          .deadline = deadline,
          .done = [&answer](std::exception_ptr why, std::vector<Tensor> given, const BatchTimes&) {
            if (why) {
              answer.set_exception(std::move(why));
            } else {
              answer.set_value(std::move(given));
            }
          }});
  return outputs.get();
}

void BatchingManager::run_brief_at_once(std::chrono::duration<double> below) {
  const std::lock_guard lock(state_->mutex);
  state_->brief = below;
}

bool BatchingManager::can_batch() const {
  const std::lock_guard lock(state_->mutex);
  return state_->scheduler.rows() > 1;
}

std::size_t BatchingManager::in_flight() const {
  return state_->in_flight.load(std::memory_order_relaxed);
}

BatchingStatistics BatchingManager::statistics() const {
  const State& state = *state_;
  BatchingStatistics all{.answered = state.answered.value(),
                         .failed = state.failed.value(),
                         .rejected = state.rejected.value(),
                         .expired = state.expired.value(),
                         .runs = state.runs.value(),
                         .rows = state.rows.value(),
                         .elements = state.elements.value(),
                         .padding = state.padding.value(),
                         .latency = state.latency.snapshot()};
  const std::lock_guard lock(state.mutex);
  all.waiting = state.scheduler.waiting();
  all.batch_rows = state.scheduler.rows();
  return all;
}

}  // namespace skerry
