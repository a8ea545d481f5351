/// \file
/// Messages with their length in front, over a socket between the server and one of its worker processes.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/descriptor.hpp"

namespace skerry::serve {

enum class FrameKind : std::uint32_t {
  run = 1,   ///< to the worker: a TaskHead, then a circuit request
  plan,      ///< to the worker: the same, for the price alone
  load,      ///< to the worker: a ModelHead, then the file of the one model that it serves from now on
  infer,     ///< to the worker: inputs of that model
  cancel,    ///< to the worker: end the run
  ready,     ///< from the worker: it is shut in; its SandboxState
  progress,  ///< from the worker: a fraction, then the stage
  done,      ///< from the worker: an AnswerHead, then the answer
  failed,    ///< from the worker: an AnswerHead, then an error as the wire spells it
};

struct Frame {
  FrameKind kind = FrameKind::cancel;
  std::string head;   ///< small; both ends are the same program, so numbers stand in it as they lie in memory
  std::string bytes;  ///< the large part
};

/// One end of a socket. What comes in is bounded and grows only as it arrives: the other end may be anybody's by now.
/// Used by one reading and one writing thread.
class Channel {
 public:
  using Time = std::chrono::steady_clock::time_point;
  enum class Outcome : std::uint8_t { done, woken, late, ended };

  Channel() = default;
  /// most_bytes: of one message.
  Channel(base::Descriptor socket, std::uint64_t most_bytes);

  /// done; late: not by `until`; ended: nobody reads any more.
  Outcome send(FrameKind kind, std::string_view head, std::string_view bytes, Time until = Time::max());
  /// done: `frame` is there; woken: `wake` became readable first; ended: the other end is gone, or sent what is no
  /// message. What has come of a message so far is kept for the next call.
  Outcome receive(Frame& frame, Time until = Time::max(), int wake = -1);

  int socket() const noexcept { return socket_.get(); }

 private:
  struct Header {
    std::uint32_t magic, kind, head_bytes, reserved;
    std::uint64_t bytes;
  };
  Outcome wait(short events, Time until, int wake) const;
  bool take(Frame& frame, bool& broken);

  base::Descriptor socket_;
  std::uint64_t most_bytes_ = 0;
  std::string in_;
};

}  // namespace skerry::serve
