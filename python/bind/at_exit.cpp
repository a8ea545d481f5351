#include "at_exit.hpp"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <skerry/error.hpp>
#include <vector>

namespace skerry::python {
namespace {

// A call that does not come back holds the end up for no longer.
constexpr std::chrono::seconds kPatience(10);

struct Living {
  std::mutex ending;  // held while one of them is ended, and to leave
  std::mutex mutex;   // of what follows
  std::condition_variable changed;
  std::vector<std::pair<EndsAtExit*, std::function<void()>>> all;
  int calls = 0;
  bool is_registered = false, is_over = false;
};

// Never destroyed: threads may look at it to the last.
Living& living() {
  static auto& all = *new Living;
  return all;
}

void end_all() {
  const nb::gil_scoped_release release;
  Living& all = living();
  const std::lock_guard ending(all.ending);
  std::unique_lock lock(all.mutex);
  all.is_over = true;
  while (!all.all.empty()) {
    const auto end = std::move(all.all.back().second);
    all.all.pop_back();
    lock.unlock();
    end();
    lock.lock();
  }
  all.changed.wait_for(lock, kPatience, [&all] { return all.calls == 0; });
}

}  // namespace

EndsAtExit::Call::Call() {
  Living& all = living();
  const std::lock_guard lock(all.mutex);
  if (all.is_over) throw Error(ErrorCode::unavailable, "the interpreter is about to end", "exit");
  ++all.calls;
}

EndsAtExit::Call::~Call() {
  Living& all = living();
  const std::lock_guard lock(all.mutex);
  if (--all.calls == 0) all.changed.notify_all();
}

EndsAtExit::EndsAtExit() {
  Living& all = living();
  bool is_first = false;
  {
    const std::lock_guard lock(all.mutex);
    if (all.is_over) throw Error(ErrorCode::unavailable, "the interpreter is about to end", "exit");
    is_first = !std::exchange(all.is_registered, true);
    all.all.emplace_back(this, [this] { end(); });
  }
  if (is_first) nb::module_::import_("atexit").attr("register")(nb::cpp_function(end_all));
}

void EndsAtExit::leave_to_destructor() {
  const nb::gil_scoped_release release;
  Living& all = living();
  const std::lock_guard ending(all.ending);
  const std::lock_guard lock(all.mutex);
  std::erase_if(all.all, [this](const auto& one) { return one.first == this; });
}

}  // namespace skerry::python
