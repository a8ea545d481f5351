#include "serve/sandbox/process.hpp"

#include <fcntl.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cmath>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fstream>
#include <skerry/error.hpp>
#include <thread>
#include <vector>

#include "base/threads.hpp"
#include "serve/sandbox/worker.hpp"
#include "wire/circuits.hpp"

namespace skerry::serve {
namespace {

constexpr std::chrono::seconds kStartTime{20};  // that a process may take to be ready
constexpr std::uint64_t kMostAnswer = std::uint64_t{8} << 30;
constexpr std::uint64_t kSpare = std::uint64_t{64} << 20;        // beside a run's own budget: program text, answers
constexpr std::uint64_t kThreadBytes = std::uint64_t{10} << 20;  // of a thread's stack and heap

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

}  // namespace

WorkerProcess::WorkerProcess(pid_t process, base::Descriptor socket)
    : pid(process), channel(std::move(socket), kMostAnswer) {}

int WorkerProcess::end() {
  if (pid > 0) {
    ::kill(pid, SIGKILL);
    while (::waitpid(pid, &status_, 0) < 0 && errno == EINTR) {
    }
    pid = -1;
  }
  return status_;
}

int WorkerProcess::ended() {
  for (int tries = 0; tries < 200 && pid > 0; ++tries) {
    if (::waitpid(pid, &status_, WNOHANG) == pid) pid = -1;
    if (pid > 0) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return end();
}

void WorkerProcess::allow_cpu(double seconds) const {
  const rlimit limit{static_cast<rlim_t>(std::ceil(cpu_seconds(pid) + seconds)) + 1, RLIM_INFINITY};
  ::prlimit(pid, RLIMIT_CPU, &limit, nullptr);
}

std::string ending_text(int status) {
  if (!WIFSIGNALED(status)) return "ended with exit code " + std::to_string(WEXITSTATUS(status));
  const int signal = WTERMSIG(status);
  const char* name = ::sigabbrev_np(signal);
  return "was ended by signal " + std::to_string(signal) + (name != nullptr ? " (SIG" + std::string(name) + ")" : "");
}

EndCause cause_of(int status) {
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGXCPU) return EndCause::cpu;
  return WIFEXITED(status) && WEXITSTATUS(status) == kNoMemoryExit ? EndCause::memory : EndCause::crash;
}

Error error_of(int status) {
  switch (cause_of(status)) {
    case EndCause::cpu:
      return {ErrorCode::deadline_exceeded, "the worker process took more CPU time than this run may", "worker",
              "ask for less or raise max_execution_time"};
    case EndCause::memory:
      return {ErrorCode::budget_exceeded, "the run took more memory than its worker process may have", "worker",
              "ask for less, or let the server have more (max_memory_mb)"};
    case EndCause::crash:
      break;
  }
  const bool was_killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
  return {was_killed ? ErrorCode::unavailable : ErrorCode::internal,
          "the worker process of this run " + ending_text(status) + ", the second time", "worker",
          was_killed ? "somebody kills it, perhaps the kernel for want of memory; try again later"
                     : "this input makes it crash; please report it"};
}

std::uint64_t worker_bytes(std::uint64_t budget, int threads) {
  const int all = threads > 0 ? threads : base::thread_budget();
  return budget + budget / 4 + kSpare + kThreadBytes * static_cast<std::uint64_t>(all);
}

WorkerPtr start_worker(const std::filesystem::path& program, std::uint64_t data_bytes, int threads) {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0)
    throw Error(ErrorCode::unavailable, std::string("no socket for a worker: ") + std::strerror(errno), "worker");
  base::Descriptor ours(ends[0]), theirs(ends[1]);
  const pid_t pid =
      spawn(program, {kWorkerWord, std::to_string(::getpid()), std::to_string(data_bytes), std::to_string(threads)},
            theirs.get());
  auto process = std::make_unique<WorkerProcess>(pid, std::move(ours));
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

}  // namespace skerry::serve
