/// \file
/// How long work tells its caller where it is, and how the caller ends it early.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string_view>

namespace skerry {

/// A listener for the progress of one run. A value: copies tell the same listener. An empty one listens to nothing.
///
/// The fractions that the callback sees lie in [0, 1] and never fall, whichever thread reports them. It is called by
/// one thread at a time; news that arrives while it is busy is dropped, so that progress never makes work wait.
class Progress {
 public:
  using Callback = std::function<void(double fraction, std::string_view stage)>;

  Progress() = default;
  Progress(Callback callback);  // NOLINT(google-explicit-constructor): a lambda is a listener

  explicit operator bool() const noexcept { return state_ != nullptr; }
  /// From any thread. NaN is ignored. What the callback throws reaches the caller: a listener may end the work.
  void operator()(double fraction, std::string_view stage) const;

 private:
  struct State;
  std::shared_ptr<State> state_;  // shared: workers of one run tell one listener
};

/// What a run obeys while it goes: a stop token, a deadline, a listener. A value, passed down by const reference.
///
///     RunControl control{.stop = source.get_token(), .deadline = std::chrono::steady_clock::now() + 5s};
///     for (…) { control.check("gates"); … }
struct RunControl {
  std::stop_token stop{};
  Progress progress{};
  std::optional<std::chrono::steady_clock::time_point> deadline{};
  /// Where elapsed time, as told in messages, starts to count.
  std::chrono::steady_clock::time_point started = std::chrono::steady_clock::now();

  /// Returns when the work may go on; from any thread, some nanoseconds.
  /// Errors: cancelled; deadline_exceeded with limit and elapsed time. Both name `stage` as their place.
  void check(std::string_view stage = "") const {
    if (stop.stop_requested() || (deadline && past(*deadline))) [[unlikely]]
      fail(stage);
  }
  /// Tells the listener, if there is one.
  void report(double fraction, std::string_view stage) const {
    if (progress) progress(fraction, stage);
  }

 private:
  static bool past(std::chrono::steady_clock::time_point deadline) noexcept;
  [[noreturn]] void fail(std::string_view stage) const;
};

}  // namespace skerry
