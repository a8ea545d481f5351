#include "serve/sandbox/sandbox.hpp"

#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdlib>
#include <skerry/error.hpp>
#include <vector>

#include "base/machine.hpp"
#include "base/proc_text.hpp"

namespace skerry::serve {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;  // shadow memory takes terabytes of addresses
#else
constexpr bool kSanitized = false;
#endif

#if defined(__x86_64__)
constexpr std::uint32_t kArchitecture = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
constexpr std::uint32_t kArchitecture = AUDIT_ARCH_AARCH64;
#else
constexpr std::uint32_t kArchitecture = 0;  // the numbers below are not known to be right
#endif

constexpr int kFirstClosed = 4;  // 0 to 2, and the socket to the server

// What a run needs: memory, threads of this process, clocks, random bytes, and the socket that is open already.
constexpr std::array kAllowed = {
    SYS_read,
    SYS_write,
    SYS_readv,
    SYS_writev,
    SYS_close,
    SYS_ppoll,
    SYS_fstat,
    SYS_lseek,  //
    SYS_munmap,
    SYS_mremap,
    SYS_madvise,
    SYS_brk,
    SYS_futex,
    SYS_membarrier,
    SYS_rseq,  //
    SYS_exit,
    SYS_exit_group,
    SYS_set_robust_list,
    SYS_sched_yield,
    SYS_sched_getaffinity,
    SYS_restart_syscall,  //
    SYS_rt_sigaction,
    SYS_rt_sigprocmask,
    SYS_rt_sigreturn,
    SYS_sigaltstack,
    SYS_getpid,
    SYS_gettid,
    SYS_getppid,  //
    SYS_clock_gettime,
    SYS_clock_getres,
    SYS_clock_nanosleep,
    SYS_nanosleep,
    SYS_gettimeofday,
    SYS_getrandom,  //
    SYS_getrusage,
    SYS_sysinfo,
    SYS_uname,
    SYS_times,
#if defined(__x86_64__)
    SYS_poll,
    SYS_time,
#endif
};

using Filter = std::vector<sock_filter>;

void add(Filter& filter, std::uint16_t code, std::uint32_t k, std::uint8_t yes = 0, std::uint8_t no = 0) {
  filter.push_back({code, yes, no, k});
}

void give(Filter& filter, std::uint32_t what) {
  add(filter, BPF_RET | BPF_K, what);
}

// An argument's half: the machine is little-endian, as both architectures are.
constexpr std::uint32_t argument(std::size_t index, bool high = false) {
  return static_cast<std::uint32_t>(offsetof(seccomp_data, args) + index * sizeof(std::uint64_t) + (high ? 4 : 0));
}

constexpr std::uint32_t kRefuse = SECCOMP_RET_ERRNO | EPERM;

// The call is let through where `mask` of its argument's lower half is (not) zero.
void allow_if(Filter& filter, long call, std::size_t index, std::uint32_t mask, bool zero) {
  add(filter, BPF_JMP | BPF_JEQ | BPF_K, static_cast<std::uint32_t>(call), 0, 4);
  add(filter, BPF_LD | BPF_W | BPF_ABS, argument(index));
  add(filter, BPF_JMP | BPF_JSET | BPF_K, mask, zero ? 1 : 0, zero ? 0 : 1);
  give(filter, SECCOMP_RET_ALLOW);
  give(filter, kRefuse);
}

// A thread of this process may be sent the signal of abort(), and no other: SIGCONT would take back a SIGSTOP.
void allow_abort(Filter& filter) {
  add(filter, BPF_JMP | BPF_JEQ | BPF_K, static_cast<std::uint32_t>(SYS_tgkill), 0, 6);
  add(filter, BPF_LD | BPF_W | BPF_ABS, argument(2));
  add(filter, BPF_JMP | BPF_JEQ | BPF_K, SIGABRT, 0, 3);
  add(filter, BPF_LD | BPF_W | BPF_ABS, argument(0));
  add(filter, BPF_JMP | BPF_JEQ | BPF_K, static_cast<std::uint32_t>(::getpid()), 0, 1);
  give(filter, SECCOMP_RET_ALLOW);
  give(filter, kRefuse);
}

// The call is let through where the argument's lower half equals `value` (and its upper half is 0).
void allow_equal(Filter& filter, long call, std::size_t index, std::uint32_t value) {
  add(filter, BPF_JMP | BPF_JEQ | BPF_K, static_cast<std::uint32_t>(call), 0, 6);
  add(filter, BPF_LD | BPF_W | BPF_ABS, argument(index));
  add(filter, BPF_JMP | BPF_JEQ | BPF_K, value, 0, 3);
  add(filter, BPF_LD | BPF_W | BPF_ABS, argument(index, true));
  add(filter, BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 1);
  give(filter, SECCOMP_RET_ALLOW);
  give(filter, kRefuse);
}

Filter filter_of_calls() {
  Filter filter;
  add(filter, BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, arch));
  add(filter, BPF_JMP | BPF_JEQ | BPF_K, kArchitecture, 1, 0);
  give(filter, SECCOMP_RET_KILL_PROCESS);  // another architecture's numbers mean other calls
  add(filter, BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr));
  for (const long call : kAllowed) {  // those of x32 have a bit set and equal none of these
    add(filter, BPF_JMP | BPF_JEQ | BPF_K, static_cast<std::uint32_t>(call), 0, 1);
    give(filter, SECCOMP_RET_ALLOW);
  }
  for (const long call : {SYS_pipe2, SYS_pipe}) {  // by which a sanitizer tries whether memory is there
    if (!kSanitized) break;
    add(filter, BPF_JMP | BPF_JEQ | BPF_K, static_cast<std::uint32_t>(call), 0, 1);
    give(filter, SECCOMP_RET_ALLOW);
  }
  // glibc asks for clone3 first, whose flags lie in memory where a filter cannot see them, and takes clone instead.
  add(filter, BPF_JMP | BPF_JEQ | BPF_K, SYS_clone3, 0, 1);
  give(filter, SECCOMP_RET_ERRNO | ENOSYS);
  allow_if(filter, SYS_clone, 0, CLONE_THREAD, false);
  allow_if(filter, SYS_mmap, 2, PROT_EXEC, true);
  allow_if(filter, SYS_mprotect, 2, PROT_EXEC, true);
  allow_equal(filter, SYS_prlimit64, 2, 0);  // looking, not setting
  allow_abort(filter);
  give(filter, kRefuse);
  return filter;
}

bool filter_calls() {
  if (kArchitecture == 0) return false;
  Filter filter = filter_of_calls();
  const sock_fprog program{static_cast<unsigned short>(filter.size()), filter.data()};
  // TSYNC: a thread that a sanitizer has started already must not stay outside.
  return ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program) == 0;
}

bool drop_capabilities() {
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return false;
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, 2> none{};
  return ::syscall(SYS_capset, &header, none.data()) == 0;
}

bool limit_to(__rlimit_resource resource, std::uint64_t most) {
  const rlimit limit{most, most};
  return ::setrlimit(resource, &limit) == 0;
}

bool limit_memory(std::uint64_t bytes) {
  if (bytes == 0 || kSanitized) return false;
  const std::string status = base::proc_text("/proc/self/status");
  const auto data = base::parse_field(status, "VmData"), all = base::parse_field(status, "VmSize");
  if (!data || !all) return false;
  // Addresses that nobody may write (a thread's unused heap) are no memory: they get a wide bound of their own.
  constexpr std::uint64_t kAddresses = std::uint64_t{16} << 30;
  return limit_to(RLIMIT_DATA, *data + bytes) && limit_to(RLIMIT_AS, *all + 2 * bytes + kAddresses);
}

}  // namespace

std::string SandboxState::text() const {
  std::string all;
  const auto tell = [&all](bool has, const char* name) {
    if (has) all += (all.empty() ? "" : ", ") + std::string(name);
  };
  tell(system_calls, "system calls");
  tell(memory, "memory");
  tell(namespaces, "namespaces");
  tell(capabilities, "capabilities");
  return all.empty() ? "none" : all;
}

SandboxState enter_sandbox(const SandboxLimits& limits, int parent) {
  SandboxState state;
  ::syscall(SYS_close_range, kFirstClosed, ~0U, 0);
  state.namespaces = ::unshare(CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWNS) == 0;
  state.capabilities = drop_capabilities();
  // After the namespace of users, which forgets it.
  ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  if (::getppid() != parent) ::_exit(1);
  state.memory = limit_memory(limits.data_bytes);  // reads a file, so before descriptors end
  limit_to(RLIMIT_CORE, 0);
  // A sanitizer tries memory by a pipe, and tells what it found in a file.
  limit_to(RLIMIT_NOFILE, kFirstClosed + (kSanitized ? 2 : 0));
  if (!kSanitized) limit_to(RLIMIT_FSIZE, 0);
  if (state.namespaces && limits.threads != 0) limit_to(RLIMIT_NPROC, limits.threads);
  state.system_calls = filter_calls();
  if (!state.system_calls) {
    throw Error(ErrorCode::unsupported, "the kernel does not filter system calls of this process", "sandbox",
                "it needs seccomp; without it run nothing of people whom you do not trust");
  }
  return state;
}

SandboxState probe_sandbox() {
  const int self = ::getpid();
  const pid_t child = ::fork();
  if (child < 0) throw Error(ErrorCode::unsupported, "no process can be started", "sandbox");
  if (child == 0) {
    int found = 0;
    try {
      const SandboxState state = enter_sandbox({.data_bytes = std::uint64_t{64} << 20}, self);
      found = 1 + (state.memory ? 2 : 0) + (state.namespaces ? 4 : 0) + (state.capabilities ? 8 : 0);
    } catch (...) {
      found = 0;
    }
    ::_exit(found);
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  const int found = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
  if ((found & 1) == 0)
    throw Error(ErrorCode::unsupported, "the kernel does not filter system calls of this process", "sandbox");
  return {.system_calls = true,
          .memory = (found & 2) != 0,
          .namespaces = (found & 4) != 0,
          .capabilities = (found & 8) != 0};
}

}  // namespace skerry::serve
