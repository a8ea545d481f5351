#include "steering.hpp"

#include <chrono>
#include <future>
#include <thread>

#include "base/account.hpp"

namespace skerry::python {
namespace {

// Between two looks for Ctrl-C, which take the interpreter's lock.
constexpr auto kPatience = std::chrono::milliseconds(10);

}  // namespace

Steering::Steering(nb::object listener) : listener_(std::move(listener)) {}
Steering::~Steering() = default;

RunControl Steering::control() {
  RunControl control;
  control.stop = stop_.get_token();
  if (!listener_.is_none()) {
    control.progress = Progress([this](double fraction, std::string_view stage) { tell(fraction, stage); });
  }
  return control;
}

// A listener that raises ends the work like a stop request, so that no Python exception crosses the workers.
void Steering::tell(double fraction, std::string_view stage) {
  if (stop_.stop_requested()) return;
  const nb::gil_scoped_acquire acquire;
  if (!listener_.is_valid()) return;  // the garbage collector was here
  try {
    listener_(fraction, nb::str(stage.data(), stage.size()));
  } catch (const nb::python_error&) {
    const std::lock_guard lock(mutex_);
    if (!raised_) raised_ = std::current_exception();
    stop_.request_stop();
  }
}

std::exception_ptr Steering::wait_for(const std::function<void()>& work) {
  // Where this thread's memory is counted, the worker's is.
  std::packaged_task<void()> task([&work, account = base::current_account()] {
    const base::AccountScope scope(account);
    work();
  });
  std::future<void> done = task.get_future();
  const std::jthread worker(std::move(task));
  while (done.wait_for(kPatience) != std::future_status::ready) {
    const nb::gil_scoped_acquire acquire;
    if (PyErr_CheckSignals() == 0) continue;
    const std::lock_guard lock(mutex_);
    // python_error takes the raised exception away from the interpreter; it is put back by whoever catches ours.
    if (!raised_) raised_ = std::make_exception_ptr(nb::python_error());
    stop_.request_stop();
  }
  try {
    done.get();
  } catch (...) {
    return std::current_exception();
  }
  return nullptr;
}

void Steering::run(bool may_be_long, const std::function<void()>& work) {
  std::exception_ptr failure;
  {
    const nb::gil_scoped_release release;
    if (may_be_long) {
      failure = wait_for(work);
    } else {
      try {
        work();
      } catch (...) {
        failure = std::current_exception();
      }
    }
  }
  if (raised_) std::rethrow_exception(raised_);
  if (failure) std::rethrow_exception(failure);
}

}  // namespace skerry::python
