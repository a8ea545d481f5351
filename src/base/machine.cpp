#include "base/machine.hpp"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <mutex>
#include <optional>

#include "base/hash.hpp"
#include "base/isa.hpp"
#include "base/proc_text.hpp"

namespace skerry::base {
namespace {

std::uint64_t from_sysconf(int name) {
  const long value = sysconf(name);
  return value > 0 ? static_cast<std::uint64_t>(value) : 0;
}

/// Size of the data or unified cache of this level as /sys tells it ("2048K"); 0 where it does not.
std::uint64_t cache_bytes_from_sys(int level) {
  const std::filesystem::path caches = "/sys/devices/system/cpu/cpu0/cache";
  for (int index = 0; index < 8; ++index) {
    const auto folder = caches / ("index" + std::to_string(index));
    const std::string size = proc_text(folder / "size");
    if (size.empty()) break;
    if (proc_text(folder / "level") != std::to_string(level) + "\n") continue;
    if (proc_text(folder / "type") == "Instruction\n") continue;
    std::uint64_t number = 0;
    const char* unit = std::from_chars(size.data(), size.data() + size.size(), number).ptr;
    const char suffix = unit < size.data() + size.size() ? *unit : '\n';
    return number << (suffix == 'K' ? 10 : suffix == 'M' ? 20 : 0);
  }
  return 0;
}

/// The kernel's word first: where it is silent (some containers), sysconf asks the CPU itself, which on some machines
/// multiplies what one cluster of cores shares by clusters that a virtual machine does not have.
std::uint64_t cache_bytes(int sysconf_name, int level) {
  const std::uint64_t known = cache_bytes_from_sys(level);
  return known != 0 ? known : from_sysconf(sysconf_name);
}

int affinity_cpus() {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) return std::max(1, CPU_COUNT(&set));
  return static_cast<int>(
      std::max<std::uint64_t>(1, from_sysconf(_SC_NPROCESSORS_ONLN)));  // more CPUs than a set holds
}

int usable_cpus_within(const CgroupLimits& limits) {
  const int allowed = affinity_cpus();
  if (!limits.cpus || *limits.cpus >= allowed) return allowed;
  return std::max(1, static_cast<int>(std::ceil(*limits.cpus)));
}

std::uint64_t available_within(const CgroupLimits& limits) {
  const std::string meminfo = proc_text("/proc/meminfo");
  const std::uint64_t free =
      parse_field(meminfo, "MemAvailable").value_or(from_sysconf(_SC_AVPHYS_PAGES) * from_sysconf(_SC_PAGESIZE));
  return std::min(free, limits.memory_free_bytes.value_or(free));
}

Machine describe() {
  const CgroupLimits limits = read_cgroup_limits();
  Machine machine;
  machine.cpu_model = cpu_model_name();
  machine.logical_cpus = static_cast<int>(std::max<std::uint64_t>(1, from_sysconf(_SC_NPROCESSORS_ONLN)));
  machine.usable_cpus = usable_cpus_within(limits);
  machine.cgroup_cpus = limits.cpus;
  const std::uint64_t physical = from_sysconf(_SC_PHYS_PAGES) * from_sysconf(_SC_PAGESIZE);
  machine.memory_bytes = std::min(physical, limits.memory_bytes.value_or(physical));
  machine.available_memory_bytes = available_within(limits);
  machine.l1d_bytes = cache_bytes(_SC_LEVEL1_DCACHE_SIZE, 1);
  machine.l2_bytes = cache_bytes(_SC_LEVEL2_CACHE_SIZE, 2);
  machine.l3_bytes = cache_bytes(_SC_LEVEL3_CACHE_SIZE, 3);
  machine.page_bytes = from_sysconf(_SC_PAGESIZE);
  machine.isa = isa_names();
  return machine;
}

}  // namespace

namespace {

struct Share {
  CgroupLimits limits;
  std::uint64_t available_bytes = 0;
};

// A decision asks several times within microseconds, and an answer takes a dozen files.
Share recent_share() {
  using Clock = std::chrono::steady_clock;
  constexpr std::chrono::milliseconds kRecent{1};
  static std::mutex mutex;
  static Share share;
  static std::optional<Clock::time_point> read_at;
  const std::scoped_lock lock(mutex);
  if (!read_at || Clock::now() - *read_at > kRecent) {
    share.limits = read_cgroup_limits();
    share.available_bytes = available_within(share.limits);
    read_at = Clock::now();
  }
  return share;
}

}  // namespace

bool Machine::has(std::string_view isa_name) const noexcept {
  return std::find(isa.begin(), isa.end(), isa_name) != isa.end();
}

std::string Machine::fingerprint() const {
  std::string text = cpu_model + "\n" + std::to_string(logical_cpus);
  for (const std::uint64_t number : {l1d_bytes, l2_bytes, l3_bytes, page_bytes}) text += " " + std::to_string(number);
  for (const std::string_view name : isa) text.append("\n").append(name);
  return hash128(std::as_bytes(std::span(text))).hex();
}

const Machine& machine() {
  static const Machine kMachine = describe();
  return kMachine;
}

int usable_cpus() {
  return usable_cpus_within(recent_share().limits);
}

std::uint64_t available_memory_bytes() {
  return recent_share().available_bytes;
}

}  // namespace skerry::base
