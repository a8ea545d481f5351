#include "base/memory_usage.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/machine.hpp"
#include "base/proc_text.hpp"

namespace skerry::base {

std::uint64_t resident_bytes() {
  return parse_field(proc_text("/proc/self/status"), "VmRSS").value_or(0);
}

std::uint64_t peak_resident_bytes() {
  // VmHWM and not getrusage's maximum: only the first can be started anew.
  if (const auto peak = parse_field(proc_text("/proc/self/status"), "VmHWM")) return *peak;
  rusage usage{};
  if (getrusage(RUSAGE_SELF, &usage) != 0) return 0;
  return static_cast<std::uint64_t>(usage.ru_maxrss) * 1024;
}

bool reset_peak() {
  const int file = ::open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC);
  if (file < 0) return false;
  const bool written = ::write(file, "5", 1) == 1;  // 5: reset the peak and nothing else (Linux 4.0)
  ::close(file);
  return written;
}

}  // namespace skerry::base
