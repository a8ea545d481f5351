#include "serve/sandbox/pool.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <csignal>
#include <skerry/error.hpp>

#include "base/threads.hpp"
#include "plan/planner.hpp"
#include "serve/log.hpp"
#include "serve/sandbox/channel.hpp"

namespace skerry::serve {
namespace {

using SteadyTime = Channel::Time;
using SystemTime = std::chrono::system_clock::time_point;
using namespace std::chrono_literals;

constexpr auto kGrace = 2s;         // beyond a deadline or a cancel, which the run itself should notice
constexpr auto kLongestWait = 60s;  // for a process
constexpr auto kTrouble = 5s;       // that no process could be started, before callers are told

double wall_seconds(const wire::CircuitRequest& request, const CircuitLimits& limits) {
  return std::clamp(std::min(request.max_execution_time.value_or(limits.max_seconds), limits.max_seconds), 0.0, 1e6);
}

SteadyTime after(double seconds) {
  return std::chrono::steady_clock::now() + std::chrono::duration_cast<std::chrono::steady_clock::duration>(
                                                std::chrono::duration<double>(std::min(seconds, 1e8)));
}

}  // namespace

WorkerPool::WorkerPool(PoolOptions options)
    : options_(std::move(options)), wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  for (const std::string& who : options_.untrusted) {
    all_ = all_ || who == "all";
    others_ = others_ || who == "others";
    if (who == "all" || who == "others" || who == "models" || who.starts_with("tenant:") || who.starts_with("key:") ||
        who.starts_with("model:"))
      continue;
    throw Error(ErrorCode::invalid_argument, "'" + who.substr(0, 128) + "' names nobody", "untrusted",
                "write all, others (everybody but admins), tenant:NAME, key:NAME, model:NAME or models");
  }
  data_bytes_ = worker_bytes(options_.limits.max_memory_bytes, options_.limits.threads);
  supervisor_ = std::thread([this] { supervise(); });
}

WorkerPool::~WorkerPool() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
    ++news_;
  }
  end_.request_stop();  // of a measurement: beside other work it takes a minute
  ::eventfd_write(wake_.get(), 1);
  changed_.notify_all();
  supervisor_.join();
}

bool WorkerPool::takes(const Principal& principal) const noexcept {
  if (all_ || (others_ && !principal.has(Role::admin))) return true;
  return std::any_of(options_.untrusted.begin(), options_.untrusted.end(), [&](std::string_view who) {
    return (who.starts_with("tenant:") && who.substr(7) == principal.tenant_name) ||
           (who.starts_with("key:") && who.substr(4) == principal.name);
  });
}

// Keeps the number of processes, and ends those that are not wanted any more.
void WorkerPool::supervise() {
  try {  // measured here, once: a worker could not keep what it measured
    planning::machine_rates(options_.limits.threads > 0 ? options_.limits.threads : base::thread_budget(), true,
                            {.stop = end_.get_token()});
  } catch (const std::exception& error) {
    if (!end_.stop_requested()) log_line("warning", "rates", {{"error", std::string_view(error.what())}});
  }
  int failures = 0;  // in a row: one process may have been killed while it started
  SteadyTime well = std::chrono::steady_clock::now();
  std::unique_lock lock(mutex_);
  while (!ending_) {
    std::vector<ProcessPtr> retired = std::move(retired_);
    retired_.clear();
    const bool wanted = alive_ < options_.processes;
    lock.unlock();
    retired.clear();
    ProcessPtr fresh;
    std::string trouble;
    if (wanted) {
      try {
        fresh = start_worker(options_.program, data_bytes_, options_.limits.threads);
        failures = 0;
        well = std::chrono::steady_clock::now();
      } catch (const Error& error) {
        log_line("error", "no worker", {{"error", error.what()}});
        const bool is_lasting = std::chrono::steady_clock::now() - well >= kTrouble;
        if (is_lasting) trouble = error.what();
        std::this_thread::sleep_for(is_lasting ? 1000ms : 10ms * (1 << std::min(++failures, 4)));
      }
    } else {
      well = std::chrono::steady_clock::now();
      look_at_idle();
    }
    lock.lock();
    trouble_ = trouble;
    if (fresh || !trouble_.empty()) ++news_;
    if (fresh) {
      ++alive_;
      ++counters_.started;
      counters_.sandbox = fresh->sandbox;
      idle_.push_back(std::move(fresh));
    }
    changed_.notify_all();
  }
  idle_.clear();
  retired_.clear();
}

// Waits until there is something to do; takes out idle processes that have died.
void WorkerPool::look_at_idle() {
  std::vector<pollfd> sockets = {{wake_.get(), POLLIN, 0}};
  {
    const std::lock_guard lock(mutex_);
    if (!retired_.empty() || ending_ || alive_ < options_.processes) return;
    for (const ProcessPtr& process : idle_) sockets.push_back({process->channel.socket(), 0, 0});  // its end alone
  }
  ::poll(sockets.data(), sockets.size(), 1000);
  eventfd_t ignored = 0;
  ::eventfd_read(wake_.get(), &ignored);
  const std::lock_guard lock(mutex_);
  for (std::size_t i = idle_.size(); i-- > 0;) {
    const auto told = std::find_if(sockets.begin() + 1, sockets.end(),
                                   [&](const pollfd& one) { return one.fd == idle_[i]->channel.socket(); });
    if (told == sockets.end() || told->revents == 0) continue;
    ++counters_.crashed;
    --alive_;
    retired_.push_back(std::move(idle_[i]));
    idle_.erase(idle_.begin() + static_cast<std::ptrdiff_t>(i));
  }
}

WorkerPool::ProcessPtr WorkerPool::acquire(const std::string& owner, const RunControl& control) {
  const auto until = std::chrono::steady_clock::now() + kLongestWait;
  std::unique_lock lock(mutex_);
  for (;;) {
    control.check("worker");
    auto found = std::find_if(idle_.begin(), idle_.end(), [&](const ProcessPtr& one) { return one->owner == owner; });
    if (found == idle_.end())
      found = std::find_if(idle_.begin(), idle_.end(), [](const ProcessPtr& one) { return one->owner.empty(); });
    if (found != idle_.end()) {
      ProcessPtr process = std::move(*found);
      idle_.erase(found);
      process->owner = owner;
      ++counters_.busy;
      return process;
    }
    if (!idle_.empty() && alive_ == options_.processes) {  // another's: nobody may find what that one left behind
      ++counters_.owner;
      --alive_;
      retired_.push_back(std::move(idle_.front()));
      idle_.erase(idle_.begin());
      ::eventfd_write(wake_.get(), 1);
    }
    if (ending_) throw Error(ErrorCode::unavailable, "the server is going down", "worker", "try again later");
    if (!trouble_.empty() && alive_ == 0) throw Error(ErrorCode::unavailable, trouble_, "worker", "try again later");
    if (std::chrono::steady_clock::now() >= until)
      throw Error(ErrorCode::unavailable, "all worker processes are busy", "worker", "try again later");
    changed_.wait_for(lock, control.stop, 1s, [this, seen = news_] { return news_ != seen; });
  }
}

void WorkerPool::give_back(ProcessPtr process) {
  process->rest();
  {
    const std::lock_guard lock(mutex_);
    --counters_.busy;
    ++news_;
    idle_.push_back(std::move(process));
  }
  ::eventfd_write(wake_.get(), 1);  // to be looked at while it is idle
  changed_.notify_all();
}

void WorkerPool::lose(ProcessPtr process) {
  process->end();
  {
    const std::lock_guard lock(mutex_);
    --counters_.busy;
    --alive_;
  }
  ::eventfd_write(wake_.get(), 1);
}

struct WorkerPool::Task {
  FrameKind kind;
  const Submitter& who;
  const wire::CircuitRequest& request;
  wire::Body body;
};

void WorkerPool::tell(const Process& process, const Task& task, const AnswerHead& head, SystemTime sent) const {
  const auto is_id = [](std::string_view text) {
    return text.find_first_not_of("0123456789abcdef") == std::string_view::npos &&
           text.find_first_not_of('0') != std::string_view::npos;
  };
  const auto received = std::chrono::system_clock::now();
  const auto moment = [&](std::int64_t nanos) {
    const SystemTime told{std::chrono::duration_cast<SystemTime::duration>(std::chrono::nanoseconds(nanos))};
    return std::clamp(told, sent, std::max(sent, received));
  };
  for (std::size_t i = 0; i < head.spans.size(); ++i) {
    const WorkerSpan& span = head.spans[i];
    const std::string_view id(span.id.data(), span.id.size()), parent(span.parent.data(), span.parent.size());
    const std::string_view outer =
        i == 0 ? std::string_view(task.who.run.span_id) : std::string_view(head.spans[0].id.data(), span.id.size());
    if (!is_id(id) || parent != outer) continue;
    options_.tell({.trace = {.trace_id = task.who.run.trace_id,
                             .span_id = std::string(id),
                             .parent_id = std::string(parent),
                             .is_sampled = task.who.run.is_sampled},
                   .name = std::string(kWorkerParts[i]),
                   .begin = moment(span.begin_ns),
                   .end = moment(std::max(span.begin_ns, span.end_ns)),
                   .attributes = {{"process.pid", std::int64_t{process.pid}}},
                   .is_answer = false});
  }
}

wire::Body WorkerPool::attempt(Process& process, const Task& task, const RunControl& control, CircuitNotes& notes) {
  const double seconds = wall_seconds(task.request, options_.limits);
  const int threads = options_.limits.threads > 0 ? options_.limits.threads : base::thread_budget();
  process.allow_cpu(seconds * threads + 2.0);
  auto until = after(seconds) + kGrace;
  const base::Descriptor cancelled(::eventfd(0, EFD_CLOEXEC));
  const std::stop_callback on_stop(control.stop, [&cancelled] { ::eventfd_write(cancelled.get(), 1); });
  int wake = cancelled.get();
  TaskHead head{task.body.json_bytes, task.who.max_qubits, options_.limits, {}};
  if (!task.who.run.trace_id.empty()) task.who.run.header().copy(head.traceparent.data(), head.traceparent.size());
  const SystemTime sent = std::chrono::system_clock::now();
  auto outcome = process.channel.send(task.kind, packed(head), task.body.bytes, until);
  Frame frame;
  while (outcome == Channel::Outcome::done || outcome == Channel::Outcome::woken) {
    outcome = process.channel.receive(frame, until, wake);
    if (outcome == Channel::Outcome::woken) {
      wake = -1;
      until = std::min(until, std::chrono::steady_clock::now() + kGrace);
      process.channel.send(FrameKind::cancel, {}, {}, until);
      continue;
    }
    if (outcome != Channel::Outcome::done) break;
    double fraction = 0.0;
    if (frame.kind == FrameKind::progress && unpack(frame.head, fraction)) {
      control.report(fraction, std::string_view(frame.bytes).substr(0, 64));
    } else {
      AnswerHead told;
      const bool is_answer = frame.kind == FrameKind::done || frame.kind == FrameKind::failed;
      if (!is_answer || !unpack(frame.head, told) || told.json_bytes > frame.bytes.size())
        throw WorkerDied{process.end()};  // no message of ours
      notes = told.notes;
      if (options_.tell) tell(process, task, told, sent);
      if (frame.kind == FrameKind::failed) throw wire::decode_error(500, frame.bytes);
      return {std::move(frame.bytes), told.json_bytes};
    }
  }
  if (outcome == Channel::Outcome::ended) throw WorkerDied{process.ended()};
  process.end();
  control.check("worker");
  throw Error(ErrorCode::deadline_exceeded,
              "the worker process was ended after " + std::to_string(seconds) + " s, the limit of this run", "worker",
              "ask for less or raise max_execution_time");
}

wire::Body WorkerPool::ask(const Task& task, const RunControl& control, CircuitNotes& notes) {
  const std::string& owner = task.who.name;
  const auto count = [this](std::uint64_t PoolCounters::*what) {
    const std::lock_guard lock(mutex_);
    ++(counters_.*what);
  };
  count(&PoolCounters::runs);
  for (int tries = 1;; ++tries) {
    ProcessPtr process = acquire(owner, control);
    int status = 0;
    try {
      wire::Body answer = attempt(*process, task, control, notes);
      give_back(std::move(process));
      return answer;
    } catch (const WorkerDied& died) {
      status = died.status;
    } catch (const Error& error) {
      if (process->pid > 0) {
        if (error.code() == ErrorCode::budget_exceeded) count(&PoolCounters::memory);
        give_back(std::move(process));
      } else {
        if (error.code() == ErrorCode::deadline_exceeded) count(&PoolCounters::deadline);
        lose(std::move(process));
      }
      throw;
    } catch (...) {
      lose(std::move(process));
      throw;
    }
    lose(std::move(process));
    const EndCause cause = cause_of(status);
    count(cause == EndCause::cpu      ? &PoolCounters::cpu
          : cause == EndCause::memory ? &PoolCounters::memory
                                      : &PoolCounters::crashed);
    log_line("warning", "worker died",
             {{"owner", owner}, {"how", ending_text(status)}, {"trace_id", task.who.run.trace_id}});
    if (cause != EndCause::crash || tries == 2) throw error_of(status);
    count(&PoolCounters::retried);
  }
}

wire::Body WorkerPool::run(const Submitter& who, const wire::CircuitRequest& request, const RunControl& control,
                           CircuitNotes& notes) {
  return ask({FrameKind::run, who, request, wire::encode(request)}, control, notes);
}

wire::Body WorkerPool::plan(const Submitter& who, const wire::CircuitRequest& request, const RunControl& control,
                            CircuitNotes& notes) {
  return ask({FrameKind::plan, who, request, wire::encode(request)}, control, notes);
}

PoolCounters WorkerPool::counters() const {
  const std::lock_guard lock(mutex_);
  PoolCounters now = counters_;
  now.idle = idle_.size();
  return now;
}

}  // namespace skerry::serve
