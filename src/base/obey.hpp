/// \file
/// How loops that are far below the caller of a run hear that it is to end.
#pragma once

#include <skerry/progress.hpp>
#include <string_view>

namespace skerry::base {

/// What this thread obeys; set by Obey, and by the thread pool for those that help with a loop. May be null.
inline constinit thread_local const RunControl* obeyed = nullptr;

/// For a scope, what this thread does under check_stop() ends when `control` says so; it must outlive the scope.
class Obey {
 public:
  explicit Obey(const RunControl* control) noexcept : outer_(obeyed) { obeyed = control; }
  Obey(const Obey&) = delete;
  Obey& operator=(const Obey&) = delete;
  ~Obey() { obeyed = outer_; }

 private:
  const RunControl* outer_;
};

/// Returns when the work of this thread may go on: some nanoseconds, so call it once per some thousand steps.
/// Errors: cancelled; deadline_exceeded.
inline void check_stop() {
  if (obeyed != nullptr) obeyed->check();
}

}  // namespace skerry::base
