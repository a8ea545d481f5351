/// \file
/// One worker process as the server holds it.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <skerry/error.hpp>
#include <string>

#include "base/descriptor.hpp"
#include "serve/sandbox/channel.hpp"
#include "serve/sandbox/sandbox.hpp"

namespace skerry::serve {

/// A process and its socket. Killed and waited for when this ends.
class WorkerProcess {
 public:
  WorkerProcess(pid_t process, base::Descriptor socket);
  ~WorkerProcess() { end(); }
  WorkerProcess(const WorkerProcess&) = delete;
  WorkerProcess& operator=(const WorkerProcess&) = delete;

  /// Kills it if need be; gives how it ended, as waitpid does.
  int end();
  /// How it ended by itself: it has closed its socket, and dies within a moment.
  int ended();
  /// The kernel ends it by SIGXCPU after so much more of all its threads together.
  void allow_cpu(double seconds) const;

  pid_t pid;  // -1: it has ended
  Channel channel;
  std::string owner;  // empty: nobody's yet
  SandboxState sandbox;

 private:
  int status_ = 0;
};
using WorkerPtr = std::unique_ptr<WorkerProcess>;

/// `was ended by signal 9 (SIGKILL)`, of what waitpid told.
std::string ending_text(int status);
/// A process died of itself in the middle of a task.
struct WorkerDied {
  int status;  ///< as waitpid told
};

/// crash: it may have been chance, and the run is worth another try.
enum class EndCause : std::uint8_t { crash, cpu, memory };
EndCause cause_of(int status);
/// What is told to the caller: deadline_exceeded, budget_exceeded; for a crash, which was the second one, unavailable
/// where somebody killed the process and internal else.
Error error_of(int status);

/// What a worker may write beside what it began with, for runs that may take so much.
std::uint64_t worker_bytes(std::uint64_t budget, int threads);
/// program: hands `serve-worker` to run_worker(). It ends with the thread that calls this. threads: 0 for the usual.
/// Errors: unavailable; unsupported where it cannot be shut in.
WorkerPtr start_worker(const std::filesystem::path& program, std::uint64_t data_bytes, int threads);

}  // namespace skerry::serve
