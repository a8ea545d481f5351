#include <linux/perf_event.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <skerry/profiler.hpp>
#include <system_error>

#include "base/descriptor.hpp"

namespace skerry {
namespace {

struct EventRow {
  HardwareEvent event;
  std::string_view name;
  std::uint32_t type;
  std::uint64_t config;
};
constexpr std::array kEventRows = {
    EventRow{HardwareEvent::cycles, "cycles", PERF_TYPE_HARDWARE, PERF_COUNT_HW_CPU_CYCLES},
    EventRow{HardwareEvent::instructions, "instructions", PERF_TYPE_HARDWARE, PERF_COUNT_HW_INSTRUCTIONS},
    EventRow{HardwareEvent::cache_references, "cache_references", PERF_TYPE_HARDWARE, PERF_COUNT_HW_CACHE_REFERENCES},
    EventRow{HardwareEvent::cache_misses, "cache_misses", PERF_TYPE_HARDWARE, PERF_COUNT_HW_CACHE_MISSES},
    EventRow{HardwareEvent::branches, "branches", PERF_TYPE_HARDWARE, PERF_COUNT_HW_BRANCH_INSTRUCTIONS},
    EventRow{HardwareEvent::branch_misses, "branch_misses", PERF_TYPE_HARDWARE, PERF_COUNT_HW_BRANCH_MISSES},
    EventRow{HardwareEvent::task_clock_ns, "task_clock_ns", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_TASK_CLOCK},
    EventRow{HardwareEvent::page_faults, "page_faults", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_PAGE_FAULTS},
    EventRow{HardwareEvent::context_switches, "context_switches", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_CONTEXT_SWITCHES},
};
constexpr auto kAllEvents = [] {
  std::array<HardwareEvent, kEventRows.size()> events{};
  for (std::size_t i = 0; i < events.size(); ++i) events[i] = kEventRows[i].event;
  return events;
}();

std::string refusal_of(int code) {
  std::string why = std::generic_category().message(code);
  switch (code) {
    case EACCES:
    case EPERM:
      return why + ": the kernel lets no one count here (kernel.perf_event_paranoid, or a container's filter)";
    case ENOENT:
    case ENODEV:
    case EOPNOTSUPP:
      return why + ": this processor, or the virtual machine, has no such counter";
    default:
      return why;
  }
}

}  // namespace

std::string_view hardware_event_name(HardwareEvent event) noexcept {
  return kEventRows[static_cast<std::size_t>(event)].name;
}

std::span<const HardwareEvent> hardware_events() noexcept {
  return kAllEvents;
}

struct PerformanceCounter::State {
  struct Counted {
    HardwareEvent event;
    base::Descriptor file;
    std::string refusal;
  };
  std::vector<Counted> counted;

  void control(unsigned long request) const noexcept {
    for (const Counted& one : counted)
      if (one.file) ::ioctl(one.file.get(), request, 0);
  }
};

PerformanceCounter::PerformanceCounter(std::span<const HardwareEvent> events) : state_(std::make_unique<State>()) {
  for (const HardwareEvent event : events) {
    const EventRow& row = kEventRows[static_cast<std::size_t>(event)];
    perf_event_attr wanted{};
    wanted.size = sizeof wanted;
    wanted.type = row.type;
    wanted.config = row.config;
    wanted.disabled = 1;
    wanted.inherit = 1;
    wanted.exclude_kernel = row.type == PERF_TYPE_HARDWARE ? 1 : 0;
    wanted.exclude_hv = 1;
    wanted.read_format = PERF_FORMAT_TOTAL_TIME_ENABLED | PERF_FORMAT_TOTAL_TIME_RUNNING;
    const auto open = [&] {
      return static_cast<int>(::syscall(SYS_perf_event_open, &wanted, 0, -1, -1, PERF_FLAG_FD_CLOEXEC));
    };
    int file = open();
    if (file < 0 && (errno == EACCES || errno == EPERM) && wanted.exclude_kernel == 0) {
      wanted.exclude_kernel = 1;  // what the user's part of it is allowed to be told
      file = open();
    }
    state_->counted.push_back({event, base::Descriptor(file), file < 0 ? refusal_of(errno) : std::string()});
  }
}

PerformanceCounter::~PerformanceCounter() = default;

void PerformanceCounter::start() {
  state_->control(PERF_EVENT_IOC_RESET);
  state_->control(PERF_EVENT_IOC_ENABLE);
}

void PerformanceCounter::stop() {
  state_->control(PERF_EVENT_IOC_DISABLE);
}

std::vector<PerformanceCounter::Reading> PerformanceCounter::read() const {
  std::vector<Reading> readings;
  for (const State::Counted& one : state_->counted) {
    Reading reading{one.event, 0, one.refusal};
    std::array<std::uint64_t, 3> told{};  // value, time enabled, time running
    if (one.file) {
      if (::read(one.file.get(), told.data(), sizeof told) != static_cast<ssize_t>(sizeof told)) {
        reading.refusal = refusal_of(errno);
      } else if (told[1] != 0 && told[2] == 0) {
        reading.refusal = "other programs held the counter the whole time";
      } else {
        const double scale = told[2] == 0 ? 1.0 : static_cast<double>(told[1]) / static_cast<double>(told[2]);
        reading.value = static_cast<std::uint64_t>(static_cast<double>(told[0]) * scale);
      }
    }
    readings.push_back(std::move(reading));
  }
  return readings;
}

}  // namespace skerry
