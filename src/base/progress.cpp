#include <time.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdio>
#include <skerry/error.hpp>
#include <skerry/progress.hpp>
#include <string>
#include <utility>

namespace skerry {
namespace {

using Clock = std::chrono::steady_clock;

/// steady_clock's own time line, up to one timer tick late, for a quarter of its price.
Clock::time_point coarse_now() noexcept {
#ifdef CLOCK_MONOTONIC_COARSE
  timespec now{};
  if (clock_gettime(CLOCK_MONOTONIC_COARSE, &now) == 0) {
    return Clock::time_point(std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec));
  }
#endif
  return Clock::now();
}

std::string seconds_text(Clock::duration duration) {
  char text[32];
  std::snprintf(text, sizeof text, "%.3g s", std::chrono::duration<double>(duration).count());
  return text;
}

}  // namespace

struct Progress::State {
  explicit State(Callback callback) : callback(std::move(callback)) {}

  Callback callback;
  std::atomic_flag busy;  // guards `last` and the callback
  double last = 0;
};

Progress::Progress(Callback callback) {
  if (callback) state_ = std::make_shared<State>(std::move(callback));
}

void Progress::operator()(double fraction, std::string_view stage) const {
  if (!state_ || std::isnan(fraction)) return;
  if (state_->busy.test_and_set(std::memory_order_acquire)) return;
  struct Release {
    std::atomic_flag& flag;
    ~Release() { flag.clear(std::memory_order_release); }
  } release{state_->busy};
  state_->last = std::max(state_->last, std::min(fraction, 1.0));
  state_->callback(state_->last, stage);
}

bool RunControl::past(Clock::time_point deadline) noexcept {
  // The coarse clock may be one tick behind (10 ms at CONFIG_HZ=100), so it is asked only while the end is far.
  constexpr auto kTick = std::chrono::milliseconds(10);
  if (coarse_now() + kTick < deadline) return false;
  return Clock::now() >= deadline;
}

void RunControl::fail(std::string_view stage) const {
  if (stop.stop_requested()) {
    throw Error(ErrorCode::cancelled, "the run was cancelled after " + seconds_text(Clock::now() - started),
                std::string(stage), "run it again to get a result");
  }
  throw Error(ErrorCode::deadline_exceeded,
              "the run took " + seconds_text(Clock::now() - started) + " and its limit is " +
                  seconds_text(deadline.value_or(started) - started),
              std::string(stage), "raise the time limit, use more threads or make the work smaller");
}

}  // namespace skerry
