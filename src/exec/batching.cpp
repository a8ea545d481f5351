#include <algorithm>
#include <condition_variable>
#include <cstring>
#include <future>
#include <mutex>
#include <skerry/batching.hpp>
#include <skerry/error.hpp>
#include <string>
#include <thread>
#include <unordered_map>
#include <utility>

#include "base/account.hpp"
#include "exec/rows.hpp"

namespace skerry {
namespace {

constexpr double kFirstLatency = 20e-6;  // of the histogram's bins, each 1.3 times the one before: up to 13 s
constexpr std::size_t kLatencyBins = 52;

struct Pending {
  BatchRequest request;
  BatchTicket ticket;
};

bool have_same_inputs(const std::vector<Tensor>& a, const std::vector<Tensor>& b) {
  return std::ranges::equal(a, b, [](const Tensor& x, const Tensor& y) {
    return x.view().bytes() == y.view().bytes() && std::memcmp(x.view().data(), y.view().data(), x.view().bytes()) == 0;
  });
}

std::int64_t length_of(std::span<const Tensor> inputs, int axis) {
  for (const Tensor& input : inputs)
    if (axis > 0 && input.shape().rank() > axis) return input.shape()[axis];
  return 0;
}

}  // namespace

struct BatchingManager::State {
  enum class Trust : std::uint8_t { unknown, proven, never };

  State(Run model, const BatchingOptions& given)
      : run(std::move(model)),
        options(given),
        scheduler(given),
        account(base::current_account()),
        latency(growing_bounds(kFirstLatency, 1.3, kLatencyBins)) {}

  const Run run;
  const BatchingOptions options;

  mutable std::mutex mutex;
  std::condition_variable changed;
  BatchScheduler scheduler;                            // of the mutex
  std::unordered_map<std::uint64_t, Pending> waiting;  // of the mutex
  std::uint64_t next_id = 1;                           // of the mutex
  bool ending = false;                                 // of the mutex

  const std::shared_ptr<base::Account> account;  // who made the manager pays for its batches
  Trust trust = Trust::unknown;                  // of the thread
  Counter answered, failed, rejected, expired, runs, rows, elements, padding;
  Histogram latency;
  std::thread thread;

  void work() {
    const base::AccountScope scope(account);
    std::unique_lock lock(mutex);
    for (;;) {
      const auto now = BatchClock::now();
      std::vector<Pending> late = taken(scheduler.take_late(now));
      std::vector<Pending> batch = late.empty() ? taken(scheduler.next(now, ending)) : std::vector<Pending>();
      if (late.empty() && batch.empty()) {
        if (ending) return;
        const auto wake = scheduler.wake_time();
        if (wake == BatchClock::time_point::max()) {
          changed.wait(lock);
        } else {
          changed.wait_until(lock, wake);
        }
        continue;
      }
      lock.unlock();
      for (Pending& one : late) expire(one, ErrorCode::deadline_exceeded, "the time was over while the request waited");
      const auto [count, time] = run_batch(batch);
      batch.clear();
      late.clear();
      lock.lock();
      scheduler.ran(count, time);
    }
  }

  std::vector<Pending> taken(const std::vector<std::uint64_t>& ids) {
    std::vector<Pending> pending;
    for (const std::uint64_t id : ids) pending.push_back(std::move(waiting.extract(id).mapped()));
    return pending;
  }

  void expire(Pending& one, ErrorCode code, const char* why) {
    expired.add();
    one.request.done(std::make_exception_ptr(Error(code, why, "queue")), {});
  }

  void answer(Pending& one, std::vector<Tensor> outputs) {
    answered.add();
    latency.record(std::chrono::duration<double>(BatchClock::now() - one.ticket.arrived).count());
    one.request.done(nullptr, std::move(outputs));
  }

  void fail(Pending& one, std::exception_ptr why) {
    failed.add();
    one.request.done(std::move(why), {});
  }

  // Rows that left the queue, and the time of the run that tells what the next one will take.
  std::pair<std::uint32_t, std::chrono::duration<double>> run_batch(std::vector<Pending>& batch) {
    std::uint32_t count = 0;
    for (const Pending& one : batch) count += one.ticket.rows;
    std::erase_if(batch, [&](Pending& one) {
      if (!one.request.stop.stop_requested()) return false;
      expire(one, ErrorCode::cancelled, "the caller went away while it waited");
      return true;
    });
    if (batch.empty()) return {count, {}};
    const auto begin = BatchClock::now();
    if (batch.size() == 1 || trust != Trust::proven || !run_together(batch)) {
      const auto alone = run_alone(batch);
      if (batch.size() > 1 && trust == Trust::unknown) prove(batch, alone);
      for (std::size_t i = 0; i < batch.size(); ++i) {
        if (!alone[i].empty()) answer(batch[i], alone[i]);
      }
    }
    return {count, BatchClock::now() - begin};
  }

  // Empty for one that failed, which is told at once. A model that may be batched, or is never, answers at once, too.
  std::vector<std::vector<Tensor>> run_alone(std::vector<Pending>& batch) {
    std::vector<std::vector<Tensor>> outputs(batch.size());
    for (std::size_t i = 0; i < batch.size(); ++i) {
      try {
        outputs[i] = run_counted(batch[i].request.inputs, batch[i].ticket.rows, 0);
        if (trust == Trust::unknown && batch.size() > 1) continue;
        answer(batch[i], std::exchange(outputs[i], {}));
      } catch (...) {
        fail(batch[i], std::current_exception());
      }
    }
    return outputs;
  }

  std::vector<Tensor> run_counted(const std::vector<Tensor>& inputs, std::uint32_t count, std::uint64_t added) {
    std::vector<Tensor> outputs = run(inputs);
    runs.add();
    rows.add(count);
    padding.add(added);
    for (const Tensor& input : inputs) elements.add(static_cast<std::uint64_t>(input.shape().elements()));
    return outputs;
  }

  std::vector<std::vector<Tensor>> outputs_together(const std::vector<Pending>& batch) {
    std::uint32_t count = 0;
    std::int64_t sent = 0, all = 0;
    std::vector<Tensor> inputs;
    for (const Pending& one : batch) count += one.ticket.rows;
    for (std::size_t k = 0; k < batch[0].request.inputs.size(); ++k) {
      std::vector<const Tensor*> parts;
      for (const Pending& one : batch) {
        parts.push_back(&one.request.inputs[k]);
        sent += parts.back()->shape().elements();
      }
      inputs.push_back(exec::stacked(parts, options.ragged_axis));
      all += inputs.back().shape().elements();
    }
    const std::vector<Tensor> outputs = run_counted(inputs, count, static_cast<std::uint64_t>(all - sent));
    const std::int64_t longest = length_of(inputs, options.ragged_axis);
    std::vector<std::vector<Tensor>> parts(batch.size());
    for (const Tensor& output : outputs) {
      if (output.shape().rank() == 0 || output.shape()[0] != count)
        throw Error(ErrorCode::type_mismatch, "an output has not a row for each row of the input");
      const int axis = options.ragged_axis;
      const bool is_ragged = axis > 0 && output.shape().rank() > axis && output.shape()[axis] == longest;
      std::int64_t row = 0;
      for (std::size_t i = 0; i < batch.size(); ++i) {
        Tensor part = exec::rows_from(output, row, batch[i].ticket.rows);
        row += batch[i].ticket.rows;
        parts[i].push_back(is_ragged ? exec::cut(part, axis, batch[i].ticket.length) : std::move(part));
      }
    }
    return parts;
  }

  // False: it failed, which may be the fault of one of them, so each is run alone.
  bool run_together(std::vector<Pending>& batch) {
    std::vector<std::vector<Tensor>> outputs;
    try {
      outputs = outputs_together(batch);
    } catch (const std::exception&) {
      return false;
    }
    for (std::size_t i = 0; i < batch.size(); ++i) answer(batch[i], std::move(outputs[i]));
    return true;
  }

  void prove(const std::vector<Pending>& batch, const std::vector<std::vector<Tensor>>& alone) {
    if (std::ranges::any_of(alone, [](const auto& outputs) { return outputs.empty(); })) return;
    // Equal rows prove nothing: their mean, for one, is the same as each of them.
    if (std::all_of(batch.begin() + 1, batch.end(),
                    [&](const Pending& one) { return have_same_inputs(one.request.inputs, batch[0].request.inputs); }))
      return;
    try {
      const auto together = outputs_together(batch);
      trust = Trust::proven;
      for (std::size_t i = 0; i < batch.size(); ++i)
        if (!std::ranges::equal(together[i], alone[i],
                                [](const Tensor& a, const Tensor& b) { return exec::same_answer(a, b); }))
          trust = Trust::never;
    } catch (const std::exception&) {
      trust = Trust::never;
    }
    if (trust == Trust::never) {
      const std::lock_guard lock(mutex);
      scheduler.never_together();
    }
  }
};

BatchingManager::BatchingManager(Run run, const BatchingOptions& options)
    : state_(std::make_unique<State>(std::move(run), options)) {
  state_->thread = std::thread([state = state_.get()] { state->work(); });
}

BatchingManager::~BatchingManager() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->ending = true;
  }
  state_->changed.notify_all();
  state_->thread.join();
}

void BatchingManager::submit(BatchRequest request) {
  if (request.inputs.empty() || !request.done)
    throw Error(ErrorCode::invalid_argument, "a request without inputs or without anybody to answer", "request");
  State& state = *state_;
  const std::int64_t rows = exec::common_rows(request.inputs);
  BatchTicket ticket{.rows = static_cast<std::uint32_t>(std::clamp<std::int64_t>(rows, 1, 1 << 30)),
                     .length = length_of(request.inputs, state.options.ragged_axis),
                     .priority = request.priority,
                     .arrived = BatchClock::now(),
                     .deadline = request.deadline};
  {
    const std::lock_guard lock(state.mutex);
    ticket.id = state.next_id++;
    // What has no rows runs alone: nothing is of its kind.
    ticket.kind = rows > 0 ? exec::row_kind(request.inputs, state.options.ragged_axis) : ticket.id;
    try {
      state.scheduler.push(ticket, ticket.arrived);
    } catch (const Error&) {
      state.rejected.add();
      throw;
    }
    state.waiting.emplace(ticket.id, Pending{std::move(request), ticket});
  }
  state.changed.notify_one();
}

std::vector<Tensor> BatchingManager::run(std::vector<Tensor> inputs, std::uint64_t priority,
                                         BatchClock::time_point deadline) {
  std::promise<std::vector<Tensor>> answer;
  auto outputs = answer.get_future();
  submit({.inputs = std::move(inputs),
          .priority = priority,
          .deadline = deadline,
          .done = [&answer](std::exception_ptr why, std::vector<Tensor> given) {
            if (why) {
              answer.set_exception(std::move(why));
            } else {
              answer.set_value(std::move(given));
            }
          }});
  return outputs.get();
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
