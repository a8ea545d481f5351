/// \file
/// What this process holds of the machine's memory, as the kernel counts it.
#pragma once

#include <cstdint>

namespace skerry::base {

/// Bytes of this process in memory now. 0 where the kernel does not tell.
std::uint64_t resident_bytes();

/// The highest resident_bytes() since the start or the last reset_peak(). 0 where the kernel does not tell.
std::uint64_t peak_resident_bytes();

/// Starts peak_resident_bytes() anew; false where the kernel does not allow it, then the peak is the process's.
bool reset_peak();

}  // namespace skerry::base
