#include "base/trace_clock.hpp"

#include <cmath>

#include "base/proc_text.hpp"

namespace skerry::base {
namespace {

using Steady = std::chrono::steady_clock;

struct Moment {
  std::uint64_t ticks = 0;
  Steady::time_point time;
};

// Both clocks at one moment: of some looks the one that was not interrupted.
Moment look() {
  Moment best;
  std::uint64_t least = ~std::uint64_t{0};
  for (int i = 0; i < 8; ++i) {
    const std::uint64_t before = trace_ticks();
    const auto time = Steady::now();
    const std::uint64_t took = trace_ticks() - before;
    if (took < least) least = took, best = {before + took / 2, time};
  }
  return best;
}

// Then it counts evenly, whatever the clock rate, on all processors alike.
bool kernel_counts_cycles() {
#if defined(__x86_64__)
  return proc_text("/sys/devices/system/clocksource/clocksource0/current_clocksource") == "tsc\n";
#else
  return false;
#endif
}

const Moment& beginning() {
  static const Moment kBeginning = [] {
    detail::counts_cycles = kernel_counts_cycles();
    return look();
  }();
  return kBeginning;
}

double nanoseconds_per_tick() {
  static const double kRate = [] {
    const Moment& first = beginning();
    while (Steady::now() - first.time < std::chrono::milliseconds(2)) continue;
    const Moment now = look();
    return std::chrono::duration<double, std::nano>(now.time - first.time).count() /
           static_cast<double>(now.ticks - first.ticks);
  }();
  return kRate;
}

}  // namespace

void start_trace_clock() {
  beginning();
}

Steady::time_point time_of_ticks(std::uint64_t ticks) noexcept {
  if (!detail::counts_cycles) return Steady::time_point(Steady::duration(static_cast<Steady::rep>(ticks)));
  const auto since = static_cast<std::int64_t>(ticks - beginning().ticks);
  return beginning().time + std::chrono::nanoseconds(std::llround(static_cast<double>(since) * nanoseconds_per_tick()));
}

}  // namespace skerry::base
