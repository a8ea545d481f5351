/// \file
/// A process gives up for good what computing does not need: files, network, other programs, more memory.
#pragma once

#include <cstdint>
#include <string>

namespace skerry::serve {

struct SandboxLimits {
  std::uint64_t data_bytes = 0;  ///< writable memory beyond what the process has now; 0: no limit
  std::uint32_t threads = 0;     ///< that it may have, held only in namespaces of its own; 0: no limit
};

/// What of the sandbox this kernel, and whatever contains this process, allowed.
struct SandboxState {
  bool system_calls = false;  ///< only those of the list are let through (seccomp)
  bool memory = false;        ///< allocations end at the limit; never under an address sanitizer, which reserves more
  bool namespaces = false;    ///< no network device, no neighbours' IPC, no mounts that others see
  bool capabilities = false;  ///< none are left, and none can be won (no_new_privs)
  /// `system_calls, memory`; or `none`.
  std::string text() const;
};

/// Shuts this process in; there is no way back. Descriptors from 4 on are closed, core dumps, new descriptors and
/// growing files are forbidden, and the kernel kills it when its parent's thread ends. Afterwards every system call
/// that opens a file, makes a socket, starts a process or a program, or makes memory executable fails with EPERM.
/// parent: whose child this has to be; it ends at once (exit 1) where that is gone already.
/// Errors: unsupported where system calls cannot be filtered; the process must then run nothing of strangers.
SandboxState enter_sandbox(const SandboxLimits& limits, int parent);

/// What enter_sandbox() gives here, found out by a child process. Errors: unsupported.
SandboxState probe_sandbox();

}  // namespace skerry::serve
