/// \file
/// Long native work under Python: the GIL given back, Ctrl-C obeyed, progress told to a Python callable.
#pragma once

#include <exception>
#include <functional>
#include <mutex>
#include <stop_token>

#include "bind.hpp"

namespace skerry::python {

/// One native call, or several that tell one listener. Made and destroyed with the GIL held.
class Steering {
 public:
  /// listener: None, or callable(fraction: float, stage: str), called by whichever thread has news.
  explicit Steering(nb::object listener);
  Steering(const Steering&) = delete;
  Steering& operator=(const Steering&) = delete;
  ~Steering();

  /// What the work must obey. Refers to this object.
  RunControl control();

  /// Runs `work` without the GIL. may_be_long: the work gets a thread of its own and this one asks Python for signals
  /// every 50 ms; starting that thread costs some ten microseconds, so small work is done in place.
  /// Errors: what work throws; what a signal handler (KeyboardInterrupt) or the listener raises.
  void run(bool may_be_long, const std::function<void()>& work);

  /// For collected(), where this lives longer than a call.
  void held(auto visit) { visit(listener_); }

 private:
  void tell(double fraction, std::string_view stage);
  std::exception_ptr wait_for(const std::function<void()>& work);

  nb::object listener_;
  std::stop_source stop_;
  std::mutex mutex_;
  std::exception_ptr raised_;  // by the listener or a signal handler; guarded by mutex_
};

}  // namespace skerry::python
