/// \file
/// What this machine is and how much of it this process may use, with cgroup limits taken into account.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace skerry::base {

/// The limits of one control group and everything above it; an absent value is "no limit".
struct CgroupLimits {
  std::optional<double> cpus;                 ///< quota / period, the smallest on the way to the root
  std::optional<std::uint64_t> memory_bytes;  ///< the smallest memory limit on the way to the root
  std::optional<std::uint64_t>
      memory_free_bytes;  ///< the smallest (limit - use), reclaimable file cache counted as free
};

/// A description of the hardware and of this process's share of it, taken once.
struct Machine {
  std::string cpu_model;
  int logical_cpus = 1;                      ///< online in the machine
  int usable_cpus = 1;                       ///< see usable_cpus()
  std::optional<double> cgroup_cpus;         ///< CPU quota of the control group, in CPUs
  std::uint64_t memory_bytes = 0;            ///< smaller of the machine's memory and the control group's limit
  std::uint64_t available_memory_bytes = 0;  ///< at the time of the description
  std::uint64_t l1d_bytes = 0, l2_bytes = 0, l3_bytes = 0;  ///< per instance; 0 where unknown
  std::uint64_t page_bytes = 4096;
  /// Names as Linux spells them: sse4_2 avx avx2 fma bmi2 avx512f avx512bw avx512dq avx512vl avx512_vnni …, neon
  /// dotprod sve …
  std::vector<std::string_view> isa;

  bool has(std::string_view isa_name) const noexcept;
  /// 32 hex digits that stay the same across boots and differ when the CPU, its caches, flags or page size do. Memory
  /// and the process's share are left out: they are the budget.
  std::string fingerprint() const;
};

/// This machine; described at the first call (some files of /proc and /sys), then kept.
const Machine& machine();

/// How many threads can run at once here: min(affinity mask, ceil(CPU quota)), at least 1. Cheaper than machine(); the
/// quota is at most a millisecond old.
int usable_cpus();

/// Bytes that can be taken now without swapping: min(MemAvailable, what the control group leaves); at most a
/// millisecond old.
std::uint64_t available_memory_bytes();

/// Reads the limits of this process's control group, version 1, 2 or mixed. root: "/" but for tests, which lay out
/// `proc/self/cgroup` and `sys/fs/cgroup/…` below a folder of their own. Missing files mean no limit.
CgroupLimits read_cgroup_limits(const std::filesystem::path& root = "/");

/// CPUs in the text of a version 2 `cpu.max` ("150000 100000" is 1.5); nothing for "max" and for what is not
/// understood.
std::optional<double> parse_cpu_max(std::string_view text);
/// Bytes in the text of `memory.max` or `memory.limit_in_bytes`; nothing for "max" and for version 1's huge
/// "unlimited".
std::optional<std::uint64_t> parse_memory_limit(std::string_view text);
/// The path of `controller` in the text of /proc/self/cgroup; "" asks for the version 2 line. Nothing where there is
/// none.
std::optional<std::string> parse_cgroup_path(std::string_view text, std::string_view controller);
/// The number behind `key` in "key: 123 kB" or "key 123" lines (meminfo, memory.stat, status), in bytes where a kB
/// follows.
std::optional<std::uint64_t> parse_field(std::string_view text, std::string_view key);

}  // namespace skerry::base
