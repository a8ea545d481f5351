/// \file
/// Threads that wait little for a processor and hold it shortly.
#pragma once

#include <cstdint>

namespace skerry::serve {

/// While this lives, the calling thread and those that it starts ask the kernel for slices of 0.1 ms in the place of
/// some milliseconds; those keep that. Where there are more threads than processors, one that answers requests then
/// waits for a moment and not for the end of somebody else's slice, and takes no more time in all. Linux from 6.12 on
/// (sched_setattr(2): `sched_runtime` of SCHED_OTHER); elsewhere nothing happens.
class ShortSlices {
 public:
  ShortSlices() noexcept;
  ~ShortSlices();
  ShortSlices(const ShortSlices&) = delete;
  ShortSlices& operator=(const ShortSlices&) = delete;

 private:
  std::uint64_t before_ = 0;  // nanoseconds; 0: nothing was changed
};

}  // namespace skerry::serve
