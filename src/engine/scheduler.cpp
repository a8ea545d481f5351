#include <algorithm>
#include <condition_variable>
#include <limits>
#include <list>
#include <mutex>
#include <skerry/error.hpp>
#include <skerry/scheduler.hpp>
#include <thread>
#include <utility>
#include <vector>

#include "base/threads.hpp"

namespace skerry {
namespace {

using Seconds = std::chrono::duration<double>;

constexpr std::size_t kKeptTenants = 1024;  // with nothing to do
constexpr Seconds kLongest{1e9};            // what clocks can add

struct WaitingTask {
  std::function<void(const RunControl&)> run;
  TaskOptions options;
  SchedulerClock::time_point arrived;
  std::promise<void> done;
  std::stop_source stop;
};

struct Tenant {
  double weight = 1.0, virtual_seconds = 0.0, seconds = 0.0;
  std::uint64_t completed = 0, waiting = 0, running = 0;
  double mean() const { return completed == 0 ? 0.0 : seconds / static_cast<double>(completed); }
};

std::exception_ptr refusal(ErrorCode code, const std::string& message, const std::string& hint = {}) {
  return std::make_exception_ptr(Error(code, message, "scheduler", hint));
}

}  // namespace

struct RuntimeScheduler::State {
  SchedulerOptions options;
  mutable std::mutex mutex;
  std::condition_variable work, idle;
  std::list<WaitingTask> waiting;
  std::list<std::stop_source> running;
  std::map<std::string, Tenant> tenants;
  SchedulerStatistics counts;
  bool closed = false, ended = false;
  std::vector<std::jthread> workers;  // last: they use all of the above

  SchedulerClock::time_point now() const { return options.now ? options.now() : SchedulerClock::now(); }

  // Smaller goes first.
  struct Rank {
    bool fresh;
    int priority;
    double virtual_seconds;
    SchedulerClock::time_point deadline, arrived;
    auto operator<=>(const Rank&) const = default;
  };
  Rank rank(const WaitingTask& task, SchedulerClock::time_point at) const {
    const bool aged = options.aging.count() > 0.0 && at - task.arrived > options.aging;
    const auto deadline = task.options.deadline.value_or(SchedulerClock::time_point::max());
    if (aged) return {false, 0, 0.0, SchedulerClock::time_point::min(), task.arrived};
    return {true, task.options.priority, tenants.at(task.options.tenant).virtual_seconds, deadline, task.arrived};
  }

  // The next task that this worker may take; the end of the list if there is none.
  std::list<WaitingTask>::iterator next(bool reserved) {
    const auto at = now();
    auto best = waiting.end();
    for (auto task = waiting.begin(); task != waiting.end(); ++task) {
      if (reserved && task->options.priority > options.reserved_priority) continue;
      if (best == waiting.end() || rank(*task, at) < rank(*best, at)) best = task;
    }
    return best;
  }

  // Those whose time is over, or who were cancelled, never begin.
  void drop_expired() {
    const auto at = now();
    for (auto task = waiting.begin(); task != waiting.end();) {
      const bool late = task->options.deadline && *task->options.deadline <= at, stopped = task->stop.stop_requested();
      if (!late && !stopped) {
        ++task;
        continue;
      }
      ++(late ? counts.expired : counts.cancelled);
      --tenants[task->options.tenant].waiting;
      const auto why = late ? refusal(ErrorCode::deadline_exceeded, "the deadline passed before its turn came")
                            : refusal(ErrorCode::cancelled, "cancelled before its turn came");
      if (task->options.dropped) task->options.dropped(why);
      task->done.set_exception(why);
      task = waiting.erase(task);
    }
  }

  void serve(bool reserved) {
    std::unique_lock lock(mutex);
    while (true) {
      drop_expired();
      const auto task = next(reserved);
      if (task == waiting.end()) {
        if (waiting.empty() && running.empty()) idle.notify_all();
        if (ended) return;
        work.wait(lock);
        continue;
      }
      WaitingTask own = std::move(*task);
      waiting.erase(task);
      run(own, lock);
    }
  }

  void run(WaitingTask& task, std::unique_lock<std::mutex>& lock) {
    Tenant& tenant = tenants[task.options.tenant];
    // Charged before it runs, so that one who sends much at once does not get all workers; corrected afterwards.
    const double expected = task.options.expected_seconds > 0.0 ? task.options.expected_seconds : tenant.mean();
    tenant.virtual_seconds += expected / tenant.weight;
    --tenant.waiting;
    ++tenant.running;
    running.push_back(task.stop);
    const auto here = std::prev(running.end());
    lock.unlock();
    std::exception_ptr error;
    const auto begin = now();
    try {
      task.run(RunControl{.stop = task.stop.get_token(), .progress = {}, .deadline = task.options.deadline});
    } catch (...) {
      error = std::current_exception();
    }
    const double took = Seconds(now() - begin).count();
    task.run = nullptr;  // what it holds goes before its caller is told
    lock.lock();
    running.erase(here);
    --tenant.running;
    tenant.virtual_seconds += (took - expected) / tenant.weight;
    tenant.seconds += took;
    ++tenant.completed;
    ++(error ? counts.failed : counts.completed);
    lock.unlock();
    if (error) {
      task.done.set_exception(error);
    } else {
      task.done.set_value();
    }
    lock.lock();
  }

  // Seconds until a task that comes now would have ended, behind those that go before it.
  double seconds_ahead(const TaskOptions& asked) const {
    double ahead = 0.0;
    for (const WaitingTask& task : waiting) {
      if (task.options.priority > asked.priority) continue;
      ahead +=
          task.options.expected_seconds > 0.0 ? task.options.expected_seconds : tenants.at(task.options.tenant).mean();
    }
    return ahead / static_cast<double>(options.workers) + asked.expected_seconds;
  }
};

RuntimeScheduler::RuntimeScheduler(SchedulerOptions options) : state_(std::make_unique<State>()) {
  if (options.workers == 0) options.workers = base::thread_budget();
  const auto refuse = [](const char* field, int value) {
    throw Error(ErrorCode::invalid_argument, std::string(field) + " is " + std::to_string(value), field);
  };
  if (options.workers < 1 || options.workers > base::kMaxThreads) refuse("workers", options.workers);
  if (options.reserved_workers < 0 || options.reserved_workers >= options.workers)
    if (options.reserved_workers != 0) refuse("reserved_workers", options.reserved_workers);
  if (!(options.aging.count() >= 0.0))
    throw Error(ErrorCode::invalid_argument, "aging is below zero", "aging", "give seconds, or 0 for never");
  state_->options = std::move(options);
  try {
    for (int i = 0; i < state_->options.workers; ++i)
      state_->workers.emplace_back([state = state_.get(), i] { state->serve(i < state->options.reserved_workers); });
  } catch (...) {
    shutdown();  // those that are there would wait for ever
    throw;
  }
}

RuntimeScheduler::~RuntimeScheduler() {
  shutdown();
}

TaskTicket RuntimeScheduler::submit(std::function<void(const RunControl&)> task, TaskOptions options) {
  State& s = *state_;
  if (!(options.expected_seconds >= 0.0 && options.expected_seconds < kLongest.count()))
    throw Error(ErrorCode::invalid_argument, "expected_seconds is " + std::to_string(options.expected_seconds),
                "expected_seconds", "give seconds, or 0 for the mean");
  const std::lock_guard lock(s.mutex);
  const auto refuse = [&s](std::exception_ptr error) {
    ++s.counts.refused;
    std::rethrow_exception(std::move(error));
  };
  if (s.closed) refuse(refusal(ErrorCode::unavailable, "the scheduler was shut down"));
  if (s.waiting.size() >= s.options.max_queue)
    refuse(
        refusal(ErrorCode::unavailable, std::to_string(s.waiting.size()) + " tasks wait already", "try again later"));
  const auto at = s.now();
  if (options.deadline &&
      (*options.deadline <= at || s.seconds_ahead(options) >= Seconds(*options.deadline - at).count())) {
    refuse(refusal(ErrorCode::deadline_exceeded, "the deadline cannot be met behind those that go first",
                   "give more time, or a lower number as priority"));
  }
  double least = std::numeric_limits<double>::infinity();
  for (const auto& [name, other] : s.tenants)
    if (other.waiting + other.running > 0) least = std::min(least, other.virtual_seconds);
  // Of many, those go who would come back as they are.
  if (s.tenants.size() >= kKeptTenants && !s.tenants.contains(options.tenant)) {
    std::erase_if(s.tenants, [least](const auto& one) {
      const Tenant& idle = one.second;
      return idle.waiting + idle.running == 0 && idle.weight == 1.0 && idle.virtual_seconds <= least;
    });
  }
  auto [tenant, is_new] = s.tenants.try_emplace(options.tenant);
  // Who had nothing to do does not save its share up.
  if (tenant->second.waiting + tenant->second.running == 0) {
    if (least < std::numeric_limits<double>::infinity())
      tenant->second.virtual_seconds = std::max(tenant->second.virtual_seconds, least);
  }
  ++s.counts.submitted;
  ++tenant->second.waiting;
  WaitingTask& taken = s.waiting.emplace_back();
  taken.run = std::move(task);
  taken.options = std::move(options);
  taken.arrived = s.now();
  TaskTicket ticket{taken.done.get_future(), taken.stop};
  s.work.notify_all();  // a reserved worker may not be able to take it
  return ticket;
}

void RuntimeScheduler::set_weight(const std::string& tenant, double weight) {
  if (!(weight > 0.0 && weight < std::numeric_limits<double>::infinity()))
    throw Error(ErrorCode::invalid_argument, "a share of " + std::to_string(weight), tenant, "give a positive number");
  const std::lock_guard lock(state_->mutex);
  state_->tenants[tenant].weight = weight;
}

void RuntimeScheduler::wait_idle() {
  std::unique_lock lock(state_->mutex);
  state_->work.notify_all();
  state_->idle.wait(lock, [&] { return state_->waiting.empty() && state_->running.empty(); });
}

bool RuntimeScheduler::shutdown(std::chrono::duration<double> grace) {
  State& s = *state_;
  bool by_itself = true;
  {
    std::unique_lock lock(s.mutex);
    s.closed = true;
    s.work.notify_all();
    const auto nothing_left = [&s] { return s.waiting.empty() && s.running.empty(); };
    if (!nothing_left() && grace.count() > 0.0) s.idle.wait_for(lock, std::min(grace, kLongest), nothing_left);
    by_itself = nothing_left();
    for (WaitingTask& task : s.waiting) task.stop.request_stop();
    for (std::stop_source& task : s.running) task.request_stop();
    s.drop_expired();
    s.ended = true;
    s.work.notify_all();
  }
  s.workers.clear();
  return by_itself;
}

SchedulerStatistics RuntimeScheduler::statistics() const {
  const std::lock_guard lock(state_->mutex);
  SchedulerStatistics counts = state_->counts;
  counts.waiting = state_->waiting.size();
  counts.running = state_->running.size();
  for (const auto& [name, tenant] : state_->tenants)
    counts.tenants[name] = {tenant.completed, tenant.waiting, tenant.seconds, tenant.weight};
  return counts;
}

}  // namespace skerry
