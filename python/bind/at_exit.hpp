/// \file
/// What has threads of its own ends before the interpreter does: afterwards none of them could take the GIL.
#pragma once

#include "bind.hpp"

namespace skerry::python {

/// Made and destroyed with the GIL held.
class EndsAtExit {
 public:
  EndsAtExit(const EndsAtExit&) = delete;
  EndsAtExit& operator=(const EndsAtExit&) = delete;

  /// A call that waits without the GIL, from before it is given back until it is held again. The interpreter ends after
  /// all of them, for a thread that came back later would be ended in the middle of our frames.
  class Call {
   public:
    /// Errors: unavailable when the interpreter is about to end.
    Call();
    Call(const Call&) = delete;
    Call& operator=(const Call&) = delete;
    ~Call();
  };

  virtual ~EndsAtExit() { leave_to_destructor(); }

 protected:
  EndsAtExit();
  /// First thing in the destructor of what derives from this: from now on nobody else ends it.
  void leave_to_destructor();
  /// Without the GIL: after this its threads want nothing of Python's. Must not throw.
  virtual void end() = 0;
};

}  // namespace skerry::python
