/// \file
/// For tests: the same check on every instruction set that this machine can show.
#pragma once

#include <hwy/highway.h>

#include <cstdint>

namespace skerry::kernels::testing {

/// Calls f(name) with kernels dispatched to each instruction set in turn, the plainest last; then all is as before.
/// What was packed under one set must not be used under another.
template <class F>
void for_each_target(F&& f) {
  const std::int64_t all = hwy::SupportedTargets() & HWY_TARGETS;
  for (std::int64_t rest = all; rest != 0; rest &= rest - 1) {
    const std::int64_t target = rest & -rest;
    hwy::GetChosenTarget().Update(target);
    f(hwy::TargetName(target));
  }
  hwy::GetChosenTarget().Update(hwy::SupportedTargets());
}

}  // namespace skerry::kernels::testing
