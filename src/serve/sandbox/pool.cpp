#include "serve/sandbox/pool.hpp"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fstream>
#include <skerry/error.hpp>

#include "base/threads.hpp"
#include "plan/planner.hpp"
#include "serve/log.hpp"
#include "serve/sandbox/channel.hpp"

namespace skerry::serve {
namespace {

using SteadyTime = Channel::Time;
using namespace std::chrono_literals;

constexpr auto kStartTime = 20s;    // that a process may take to be ready
constexpr auto kGrace = 2s;         // beyond a deadline or a cancel, which the run itself should notice
constexpr auto kLongestWait = 60s;  // for a process
constexpr int kFailures = 4;        // to start one, before callers are told
constexpr std::uint64_t kSpare = std::uint64_t{64} << 20;        // beside the run's own budget: program text, answers
constexpr std::uint64_t kThreadBytes = std::uint64_t{10} << 20;  // of a thread's stack and heap
constexpr std::uint64_t kMostAnswer = std::uint64_t{8} << 30;

// All of the environment that a worker sees, and only until it is shut in.
std::vector<std::string> environment() {
  std::vector<std::string> kept;
  for (const char* name : {"HOME", "XDG_CACHE_HOME", "LD_LIBRARY_PATH", "SKERRY_CACHE_DIR", "SKERRY_NUM_THREADS",
                           "SKERRY_FORCE_KERNEL", "ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS", "LSAN_OPTIONS"}) {
    const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): nothing here sets it
    if (value != nullptr) kept.push_back(std::string(name) + "=" + value);
  }
  return kept;
}

std::vector<char*> pointers(std::vector<std::string>& words) {
  std::vector<char*> all;
  for (std::string& word : words) all.push_back(word.data());
  all.push_back(nullptr);
  return all;
}

// A process in a group of its own (a terminal's Ctrl-C is not for it), with three standard descriptors and `socket`.
pid_t spawn(const std::filesystem::path& program, std::vector<std::string> words, int socket) {
  posix_spawn_file_actions_t files;
  posix_spawnattr_t how;
  posix_spawn_file_actions_init(&files);
  posix_spawnattr_init(&how);
  for (const int standard : {0, 1}) posix_spawn_file_actions_addopen(&files, standard, "/dev/null", O_RDWR, 0);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  posix_spawn_file_actions_addopen(&files, 2, "/dev/null", O_RDWR, 0);  // it must not write our log
#endif
  posix_spawn_file_actions_adddup2(&files, socket, kWorkerSocket);
  posix_spawn_file_actions_addclosefrom_np(&files, kWorkerSocket + 1);
  sigset_t none, all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&how, &none);
  posix_spawnattr_setsigdefault(&how, &all);
  posix_spawnattr_setpgroup(&how, 0);
  posix_spawnattr_setflags(&how, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
  std::vector<std::string> variables = environment();
  pid_t child = -1;
  const int failed =
      ::posix_spawn(&child, program.c_str(), &files, &how, pointers(words).data(), pointers(variables).data());
  posix_spawnattr_destroy(&how);
  posix_spawn_file_actions_destroy(&files);
  if (failed != 0)
    throw Error(ErrorCode::unavailable, std::string("no worker process can be started: ") + std::strerror(failed),
                "worker");
  return child;
}

double cpu_seconds(pid_t process) {
  clockid_t clock{};
  timespec used{};
  if (::clock_getcpuclockid(process, &clock) != 0 || ::clock_gettime(clock, &used) != 0) return 0.0;
  return static_cast<double>(used.tv_sec) + static_cast<double>(used.tv_nsec) * 1e-9;
}

double wall_seconds(const wire::CircuitRequest& request, const CircuitLimits& limits) {
  const double each = std::min(request.max_execution_time.value_or(limits.max_seconds), limits.max_seconds);
  return std::clamp(each, 0.0, 1e6) * static_cast<double>(std::max<std::size_t>(1, request.parameter_sets.size()));
}

SteadyTime after(double seconds) {
  return std::chrono::steady_clock::now() + std::chrono::duration_cast<std::chrono::steady_clock::duration>(
                                                std::chrono::duration<double>(std::min(seconds, 1e8)));
}

std::string ending_text(int status) {
  if (!WIFSIGNALED(status)) return "ended with exit code " + std::to_string(WEXITSTATUS(status));
  const int signal = WTERMSIG(status);
  const char* name = ::sigabbrev_np(signal);
  return "was ended by signal " + std::to_string(signal) + (name != nullptr ? " (SIG" + std::string(name) + ")" : "");
}

}  // namespace

/// A process and its socket. Killed and waited for when this ends.
class WorkerPool::Process {
 public:
  Process(pid_t process, base::Descriptor socket) : pid(process), channel(std::move(socket), kMostAnswer) {}
  ~Process() { end(); }
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  /// Kills it if need be; gives how it ended, as waitpid does.
  int end() {
    if (pid > 0) {
      ::kill(pid, SIGKILL);
      while (::waitpid(pid, &status_, 0) < 0 && errno == EINTR) {
      }
      pid = -1;
    }
    return status_;
  }
  /// How it ended by itself: it has closed its socket, and dies within a moment.
  int ended() {
    for (int tries = 0; tries < 200 && pid > 0; ++tries) {
      if (::waitpid(pid, &status_, WNOHANG) == pid) pid = -1;
      if (pid > 0) std::this_thread::sleep_for(5ms);
    }
    return end();
  }
  /// The kernel ends it by SIGXCPU after so much more of all its threads together.
  void allow_cpu(double seconds) const {
    const rlimit limit{static_cast<rlim_t>(std::ceil(cpu_seconds(pid) + seconds)) + 1, RLIM_INFINITY};
    ::prlimit(pid, RLIMIT_CPU, &limit, nullptr);
  }

  pid_t pid;
  Channel channel;
  std::string owner;  // empty: nobody's yet
  SandboxState sandbox;

 private:
  int status_ = 0;
};

/// A process died of itself in the middle of a task.
struct WorkerPool::Died {
  int status;
};

WorkerPool::WorkerPool(PoolOptions options)
    : options_(std::move(options)), wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  for (const std::string& who : options_.untrusted) {
    all_ = all_ || who == "all";
    others_ = others_ || who == "others";
    if (who == "all" || who == "others" || who.starts_with("tenant:") || who.starts_with("key:")) continue;
    throw Error(ErrorCode::invalid_argument, "'" + who.substr(0, 128) + "' names nobody", "untrusted",
                "write all, others (everybody but admins), tenant:NAME or key:NAME");
  }
  const int threads = options_.limits.threads > 0 ? options_.limits.threads : base::thread_budget();
  const std::uint64_t budget = options_.limits.max_memory_bytes;
  data_bytes_ = budget + budget / 4 + kSpare + kThreadBytes * static_cast<std::uint64_t>(threads);
  // A thread of its own: the kernel ends a process together with the thread that started it.
  supervisor_ = std::thread([this] { supervise(); });
}

WorkerPool::~WorkerPool() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
    ++news_;
  }
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

WorkerPool::ProcessPtr WorkerPool::start() {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0)
    throw Error(ErrorCode::unavailable, std::string("no socket for a worker: ") + std::strerror(errno), "worker");
  base::Descriptor ours(ends[0]), theirs(ends[1]);
  const pid_t pid = spawn(
      options_.program,
      {kWorkerWord, std::to_string(::getpid()), std::to_string(data_bytes_), std::to_string(options_.limits.threads)},
      theirs.get());
  auto process = std::make_unique<Process>(pid, std::move(ours));
  theirs = base::Descriptor();
  {  // the kernel takes it before the server, should the machine's memory end
    std::ofstream score("/proc/" + std::to_string(pid) + "/oom_score_adj");
    score << "1000";
  }
  Frame ready;
  if (process->channel.receive(ready, std::chrono::steady_clock::now() + kStartTime) != Channel::Outcome::done)
    throw Error(ErrorCode::unavailable, "a worker process " + ending_text(process->ended()) + " while it started",
                "worker");
  if (ready.kind == FrameKind::failed) throw wire::decode_error(500, ready.bytes);
  if (ready.kind != FrameKind::ready || !unpack(ready.head, process->sandbox))
    throw Error(ErrorCode::unavailable, "a worker process did not become ready", "worker");
  return process;
}

// Keeps the number of processes, and ends those that are not wanted any more.
void WorkerPool::supervise() {
  try {  // measured here, once: a worker could not keep what it measured
    planning::machine_rates(options_.limits.threads > 0 ? options_.limits.threads : base::thread_budget(), true);
  } catch (const std::exception& error) {
    log_line("warning", "rates", {{"error", std::string_view(error.what())}});
  }
  int failures = 0;  // in a row: one process may have been killed while it started
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
        fresh = start();
        failures = 0;
      } catch (const Error& error) {
        log_line("error", "no worker", {{"error", error.what()}});
        if (++failures >= kFailures) trouble = error.what();
        std::this_thread::sleep_for(std::min<std::chrono::milliseconds>(10ms * (1 << std::min(failures, 8)), 2s));
      }
    } else {
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

wire::Body WorkerPool::attempt(Process& process, FrameKind kind, const wire::CircuitRequest& request,
                               const wire::Body& body, std::uint32_t max_qubits, const RunControl& control) {
  const double seconds = wall_seconds(request, options_.limits);
  const int threads = options_.limits.threads > 0 ? options_.limits.threads : base::thread_budget();
  process.allow_cpu(seconds * threads + 2.0);
  auto until = after(seconds) + kGrace;
  const base::Descriptor cancelled(::eventfd(0, EFD_CLOEXEC));
  const std::stop_callback on_stop(control.stop, [&cancelled] { ::eventfd_write(cancelled.get(), 1); });
  int wake = cancelled.get();
  const TaskHead head{body.json_bytes, max_qubits, options_.limits};
  auto outcome = process.channel.send(kind, packed(head), body.bytes, until);
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
    } else if (frame.kind == FrameKind::done) {
      std::uint64_t json_bytes = 0;
      if (!unpack(frame.head, json_bytes) || json_bytes > frame.bytes.size()) throw Died{process.end()};
      return {std::move(frame.bytes), json_bytes};
    } else if (frame.kind == FrameKind::failed) {
      throw wire::decode_error(500, frame.bytes);
    } else {
      throw Died{process.end()};  // no message of ours
    }
  }
  if (outcome == Channel::Outcome::ended) throw Died{process.ended()};
  process.end();
  control.check("worker");
  throw Error(ErrorCode::deadline_exceeded,
              "the worker process was ended after " + std::to_string(seconds) + " s, the limit of this run", "worker",
              "ask for less or raise max_execution_time");
}

namespace {

// Why a process that died need not be asked again; nothing: it may have been chance.
std::optional<Error> reason_of(int status, std::uint64_t PoolCounters::*& cause) {
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGXCPU) {
    cause = &PoolCounters::cpu;
    return Error(ErrorCode::deadline_exceeded, "the worker process took more CPU time than this run may", "worker",
                 "ask for less or raise max_execution_time");
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == kNoMemoryExit) {
    cause = &PoolCounters::memory;
    return Error(ErrorCode::budget_exceeded, "the run took more memory than its worker process may have", "worker",
                 "ask for less, or let the server have more (max_memory_mb)");
  }
  cause = &PoolCounters::crashed;
  return std::nullopt;
}

}  // namespace

wire::Body WorkerPool::ask(const std::string& owner, FrameKind kind, const wire::CircuitRequest& request,
                           std::uint32_t max_qubits, const RunControl& control) {
  const wire::Body body = wire::encode(request);
  const auto count = [this](std::uint64_t PoolCounters::*what) {
    const std::lock_guard lock(mutex_);
    ++(counters_.*what);
  };
  count(&PoolCounters::runs);
  for (int tries = 1;; ++tries) {
    ProcessPtr process = acquire(owner, control);
    int status = 0;
    try {
      wire::Body answer = attempt(*process, kind, request, body, max_qubits, control);
      give_back(std::move(process));
      return answer;
    } catch (const Died& died) {
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
    std::uint64_t PoolCounters::*cause = nullptr;
    const std::optional<Error> reason = reason_of(status, cause);
    count(cause);
    log_line("warning", "worker died", {{"owner", owner}, {"how", ending_text(status)}});
    if (reason) throw *reason;
    if (tries == 2) {
      const bool was_killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
      throw Error(was_killed ? ErrorCode::unavailable : ErrorCode::internal,
                  "the worker process of this run " + ending_text(status) + ", the second time", "worker",
                  was_killed ? "somebody kills it, perhaps the kernel for want of memory; try again later"
                             : "this circuit makes it crash; please report it");
    }
    count(&PoolCounters::retried);
  }
}

wire::Body WorkerPool::run(const std::string& owner, const wire::CircuitRequest& request, std::uint32_t max_qubits,
                           const RunControl& control) {
  return ask(owner, FrameKind::run, request, max_qubits, control);
}

wire::Body WorkerPool::plan(const std::string& owner, const wire::CircuitRequest& request, std::uint32_t max_qubits,
                            const RunControl& control) {
  return ask(owner, FrameKind::plan, request, max_qubits, control);
}

PoolCounters WorkerPool::counters() const {
  const std::lock_guard lock(mutex_);
  PoolCounters now = counters_;
  now.idle = idle_.size();
  return now;
}

}  // namespace skerry::serve
