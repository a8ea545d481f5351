#include "cli/control.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <cstdio>
#include <mutex>
#include <stop_token>
#include <thread>

namespace skerry::cli {
namespace {

constexpr auto kPatience = std::chrono::milliseconds(300);
constexpr auto kFrame = std::chrono::milliseconds(50);
constexpr int kWidth = 40;

// A handler may only set a flag; a watcher thread turns it into a stop request.
std::atomic<int> interrupts{0};

extern "C" void on_interrupt(int) {
  if (interrupts.fetch_add(1) > 0) _exit(130);
}

}  // namespace

struct Interruptible::State {
  explicit State(bool terminal_in) : terminal(terminal_in) {}
  std::stop_source stop;
  bool terminal;
  std::atomic<double> fraction{0.0};
  bool drawn = false;
  std::mutex mutex;
  std::condition_variable_any wake;
  struct sigaction outer {};
  std::jthread watcher;

  void draw(std::chrono::steady_clock::time_point begin) {
    const double done = fraction.load();
    if (!terminal || done <= 0.0 || std::chrono::steady_clock::now() - begin < kPatience) return;
    const int filled = static_cast<int>(done * kWidth);
    std::array<char, kWidth + 1> bar{};
    for (int i = 0; i < kWidth; ++i) bar[static_cast<std::size_t>(i)] = i < filled ? '#' : '.';
    std::fprintf(stderr, "\r[%s] %3.0f %%", bar.data(), 100.0 * done);
    std::fflush(stderr);
    drawn = true;
  }

  void watch(const std::stop_token& end) {
    const auto begin = std::chrono::steady_clock::now();
    while (!end.stop_requested()) {
      // Woken at once by the end, so that a run of a millisecond is a process of milliseconds.
      std::unique_lock lock(mutex);
      wake.wait_for(lock, end, kFrame, [] { return false; });
      if (interrupts.load() > 0) stop.request_stop();
      draw(begin);
    }
    if (drawn) std::fprintf(stderr, "\r%*s\r", kWidth + 8, "");
  }
};

Interruptible::Interruptible(bool terminal) : state_(std::make_unique<State>(terminal)) {
  interrupts = 0;
  struct sigaction action {};
  action.sa_handler = on_interrupt;
  sigaction(SIGINT, &action, &state_->outer);
}

Interruptible::~Interruptible() {
  state_->watcher = {};
  sigaction(SIGINT, &state_->outer, nullptr);
}

RunControl Interruptible::control() const {
  State* state = state_.get();
  if (!state->watcher.joinable())
    state->watcher = std::jthread([state](const std::stop_token& end) { state->watch(end); });
  RunControl control;
  control.stop = state->stop.get_token();
  control.progress = Progress([state](double fraction, std::string_view) { state->fraction = fraction; });
  return control;
}

}  // namespace skerry::cli
