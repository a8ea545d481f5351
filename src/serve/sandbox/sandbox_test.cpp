#include "serve/sandbox/sandbox.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <optional>
#include <thread>
#include <vector>

#include "base/proc_text.hpp"
#include "base/temporary_folder.hpp"
#include "base/thrown_by.hpp"
#include "serve/sandbox/remote_model.hpp"
#include "serve/sandbox/tensors.hpp"
#include "serve/sandbox/worker.hpp"

namespace skerry::serve {
namespace {

// Runs `inside` in a process that is shut in and gives its exit code; -1 where it was killed.
int shut_in(const std::function<int()>& inside, std::uint64_t data_bytes = 0) {
  const int parent = ::getpid();
  const pid_t child = ::fork();
  if (child == 0) {
    try {
      enter_sandbox({.data_bytes = data_bytes}, parent);
      ::_exit(inside());
    } catch (...) {
      ::_exit(99);
    }
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

struct Attempt {
  const char* name;
  std::function<long()> call;
};

std::vector<Attempt> attempts() {
  static const std::array<char*, 2> kNobody = {nullptr, nullptr};
  const auto call = [](long number, auto... arguments) { return [=] { return ::syscall(number, arguments...); }; };
  return {
      {"socket inet", call(SYS_socket, AF_INET, SOCK_STREAM, 0)},
      {"socket unix", call(SYS_socket, AF_UNIX, SOCK_STREAM, 0)},
      {"socketpair",
       [] {
         std::array<int, 2> ends{};
         return ::syscall(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, ends.data());
       }},
      {"connect", call(SYS_connect, 3, nullptr, 0)},
      {"bind", call(SYS_bind, 3, nullptr, 0)},
      {"open for writing", call(SYS_openat, AT_FDCWD, "/tmp/skerry-sandbox", O_WRONLY | O_CREAT, 0600)},
      {"open for reading", call(SYS_openat, AT_FDCWD, "/etc/passwd", O_RDONLY)},
      {"openat2", call(SYS_openat2, AT_FDCWD, "/etc/passwd", nullptr, 0)},
      {"memfd_create", call(SYS_memfd_create, "x", 0)},
      {"unlink", call(SYS_unlinkat, AT_FDCWD, "/tmp/skerry-sandbox", 0)},
      {"execve", call(SYS_execve, "/bin/true", kNobody.data(), kNobody.data())},
      {"execveat", call(SYS_execveat, AT_FDCWD, "/bin/true", kNobody.data(), kNobody.data(), 0)},
      {"fork", call(SYS_clone, static_cast<unsigned long>(SIGCHLD), 0, 0, 0, 0)},
      {"kill", call(SYS_kill, ::getpid(), 0)},
      {"tgkill of another", call(SYS_tgkill, ::getpid(), ::getpid(), 0)},  // here: the test itself
      {"tgkill to go on", [] { return ::syscall(SYS_tgkill, ::getpid(), ::gettid(), SIGCONT); }},
      {"ptrace", call(SYS_ptrace, 16, ::getpid(), 0, 0)},
      {"process_vm_readv", call(SYS_process_vm_readv, ::getpid(), nullptr, 0, nullptr, 0, 0)},
      {"unshare", call(SYS_unshare, CLONE_NEWUSER)},
      {"mount", call(SYS_mount, "none", "/tmp", "tmpfs", 0, nullptr)},
      {"io_uring_setup", call(SYS_io_uring_setup, 1, nullptr)},
      {"bpf", call(SYS_bpf, 0, nullptr, 0)},
      {"mmap of code",
       [] {
         return ::mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? -1L
                                                                                                               : 0L;
       }},
      {"setrlimit",
       [] {
         const rlimit most{RLIM_INFINITY, RLIM_INFINITY};
         return static_cast<long>(::setrlimit(RLIMIT_FSIZE, &most));
       }},
      {"dup", call(SYS_dup, 1)},
      {"sendmsg", call(SYS_sendmsg, 3, nullptr, 0)},
      {"prctl", call(SYS_prctl, 1, 0, 0, 0, 0)},
  };
}

TEST(Sandbox, RefusesFilesNetworkProgramsProcessesAndNewMemoryForCode) {
  for (const Attempt& attempt : attempts()) {
    const int code = shut_in([&] { return attempt.call() == -1 && errno == EPERM ? 0 : 1; });
    EXPECT_EQ(code, 0) << attempt.name << " (99: the sandbox itself failed; -1: the process was killed)";
  }
}

TEST(Sandbox, LetsAProcessComputeInThreadsAndReadClocks) {
  EXPECT_EQ(shut_in([] {
              int sum = 0;
              std::thread other([&sum] { sum = 41; });
              other.join();
              const auto begin = std::chrono::steady_clock::now();
              std::this_thread::sleep_for(std::chrono::milliseconds(1));
              return sum + 1 - (std::chrono::steady_clock::now() > begin ? 0 : 1);
            }),
            42);
}

TEST(Sandbox, ClosesWhatWasOpenAndGrowsNoFile) {
  std::FILE* const file = std::tmpfile();
  ASSERT_NE(file, nullptr);
  const int low = ::fileno(file), high = ::fcntl(low, F_DUPFD, 100);
  ASSERT_GE(high, 100);
  EXPECT_EQ(shut_in([high] { return ::write(high, "x", 1) == -1 && errno == EBADF ? 0 : 1; }), 0);
  std::fclose(file);
  ::close(high);
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
TEST(Sandbox, EndsMemoryAtItsLimit) {
  constexpr std::uint64_t kLimit = std::uint64_t{32} << 20;
  const auto take = [](std::size_t bytes) {
    return [bytes] {
      void* const got = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
      return got == MAP_FAILED && errno == ENOMEM ? 1 : 0;
    };
  };
  EXPECT_EQ(shut_in(take(kLimit / 2), kLimit), 0);
  EXPECT_EQ(shut_in(take(kLimit * 2), kLimit), 1);
}
#endif

TEST(Sandbox, EndsAProcessWhoseParentIsAnother) {
  const pid_t child = ::fork();
  if (child == 0) {
    try {
      enter_sandbox({}, 1);  // the test is not the first process
    } catch (...) {
      ::_exit(99);
    }
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 1);
}

// A worker that has been broken into. Its model's file names another file: while that is missing it tells of an output
// y f32[-1,2], and of z afterwards. It answers with what it is given.
[[noreturn]] void lie() {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);  // as a sandbox begins
  Channel channel(base::Descriptor(kWorkerSocket), 1 << 20);
  channel.send(FrameKind::ready, packed(SandboxState{}), {});
  for (Frame task; channel.receive(task) == Channel::Outcome::done;) {
    std::string answer = task.bytes;
    if (task.kind == FrameKind::load) {
      const std::string name = std::filesystem::exists(task.bytes) ? "z" : "y";
      std::ofstream(task.bytes) << name;
      answer = "m" + pack(std::vector<TensorInfo>{}) + pack(std::vector<TensorInfo>{{.name = name, .shape = {-1, 2}}});
    }
    channel.send(FrameKind::done, packed(std::uint64_t{0}), answer);
  }
  ::_exit(0);
}

// This program is started by RemoteModel as it starts the server's own.
const bool kIsTest = [] {
  if (base::proc_text("/proc/self/cmdline").find(kWorkerWord) != std::string::npos) lie();
  return true;
}();

TEST(RemoteModel, BelievesNoProcessThatContradictsTheFirst) {
  ASSERT_TRUE(kIsTest);
  std::signal(SIGPIPE, SIG_IGN);  // as the server does
  const base::TemporaryFolder folder;
  const std::filesystem::path seen = folder.path() / "seen", file = folder.path() / "model";
  std::ofstream(file) << seen.string();
  std::optional<RemoteModel> made;
  std::thread([&] { made.emplace("m", file, Limits{}, LoadOptions{}); }).join();
  RemoteModel& model = *made;
  std::this_thread::sleep_for(std::chrono::milliseconds(50));  // its process does not end with the thread that made it
  const auto run = [&model](const char* name, const Shape& shape) {
    ApartTimes times;
    return model.run({{name, Tensor(DType::f32, shape)}}, times);
  };
  const auto error = [&](const char* name, const Shape& shape) {
    return base::thrown_by([&] { run(name, shape); }).code();
  };
  EXPECT_EQ(run("y", {3, 2})[0].second.shape(), Shape({3, 2}));
  // Each of these ends its process, and the next one tells of z.
  EXPECT_EQ(error("z", {3, 2}), ErrorCode::corrupt);
  EXPECT_EQ(error("y", {3, 2}), ErrorCode::corrupt) << "a process whose word was not taken answers nothing";
  for (const Shape& wrong : {Shape({2}), Shape({3, 3}), Shape({3, 2, 1})}) {
    std::filesystem::remove(seen);
    EXPECT_EQ(error("y", wrong), ErrorCode::corrupt) << wrong.text();
  }
  EXPECT_EQ(model.outputs()[0].name, "y");
  std::filesystem::remove(seen);
  EXPECT_EQ(run("y", {1, 2})[0].second.shape(), Shape({1, 2}));
}

TEST(Sandbox, TellsWhatTheKernelAllows) {
  const SandboxState state = probe_sandbox();
  EXPECT_TRUE(state.system_calls);
  EXPECT_NE(state.text().find("system calls"), std::string::npos);
  EXPECT_EQ(SandboxState{}.text(), "none");
}

}  // namespace
}  // namespace skerry::serve
