/// \file
/// Ctrl-C as a stop token, and a progress bar on a terminal.
#pragma once

#include <memory>
#include <skerry/progress.hpp>
#include <string>

namespace skerry::cli {

/// While it lives, the first Ctrl-C asks the run to stop and the second ends the process. Draws a bar on stderr when
/// `terminal` is set and the work takes longer than a moment; nothing on a pipe.
class Interruptible {
 public:
  explicit Interruptible(bool terminal);
  ~Interruptible();
  Interruptible(const Interruptible&) = delete;
  Interruptible& operator=(const Interruptible&) = delete;
  RunControl control() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace skerry::cli
