/// \file
/// Large buffers whose pages are brought in before the work on them, in pieces between which a run can be stopped.
#pragma once

#include <skerry/progress.hpp>
#include <string_view>

#include "base/memory.hpp"

namespace skerry::base {

/// Has the system bring in every page of a buffer that was allocated just now, on all threads. A page is cleared when
/// it is first written, which may take longer than the work on it, and a loop over a state may write into all of its
/// pages before it looks at its control once; here it is looked at before each 2 MiB. Buffers from kLargeBytes on;
/// smaller ones were written by their allocation. Errors: those of control.
void touch(Buffer& buffer, const RunControl& control, std::string_view stage);

/// As Buffer::allocate, then touch(); but from kLargeBytes on the bytes may be anything: memory of a run before, kept
/// for the next of its size, is not cleared, which for a state takes as long as a pass over it. The caller writes what
/// it reads. Errors: those of both.
Buffer allocate_unwritten(std::uint64_t bytes, MemoryBudget budget, std::string_view what, const RunControl& control,
                          std::string_view stage);

}  // namespace skerry::base
