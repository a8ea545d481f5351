/// \file
/// The clock of spans: the one that is read fastest, and its time by the steady clock.
#pragma once

#include <chrono>
#include <cstdint>

#if defined(__x86_64__)
#include <x86intrin.h>
#endif

namespace skerry::base {

namespace detail {
/// Set by start_trace_clock() before the first span is recorded, then left alone.
inline constinit bool counts_cycles = false;
}  // namespace detail

/// Decides which clock it is: the processor's counter where the kernel itself keeps time by it, else the steady clock.
void start_trace_clock();

/// Never 0. Only after start_trace_clock().
inline std::uint64_t trace_ticks() noexcept {
#if defined(__x86_64__)
  if (detail::counts_cycles) return __rdtsc();
#endif
  return static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
}

/// Grows with the ticks. The counter's rate is measured once, over two milliseconds at least since the start: to some
/// parts in 100 000.
std::chrono::steady_clock::time_point time_of_ticks(std::uint64_t ticks) noexcept;

}  // namespace skerry::base
