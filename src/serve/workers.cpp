#include "serve/workers.hpp"

#include <skerry/error.hpp>

namespace skerry::serve {

Workers::Workers(int threads, std::size_t max_queue) : max_queue_(max_queue) {
  for (int i = 0; i < threads; ++i) threads_.emplace_back([this] { work(); });
}

Workers::~Workers() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void Workers::post(std::function<void()> task) {
  {
    const std::lock_guard lock(mutex_);
    if (queue_.size() >= max_queue_) {
      throw Error(ErrorCode::unavailable, "the server is busy, " + std::to_string(queue_.size()) + " requests wait",
                  "queue", "try again later");
    }
    queue_.push_back(std::move(task));
  }
  changed_.notify_one();
}

std::size_t Workers::waiting() const {
  const std::lock_guard lock(mutex_);
  return queue_.size();
}

void Workers::work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return ending_ || !queue_.empty(); });
    if (queue_.empty()) return;
    const auto task = std::move(queue_.front());
    queue_.pop_front();
    lock.unlock();
    task();
    lock.lock();
  }
}

Timers::Timers()
    : thread_([this] {
        std::unique_lock lock(mutex_);
        while (!ending_) {
          if (waiting_.empty()) {
            changed_.wait(lock);
            continue;
          }
          const auto next = waiting_.begin();
          if (std::chrono::steady_clock::now() < next->first) {
            changed_.wait_until(lock, std::chrono::steady_clock::time_point(next->first));
            continue;
          }
          const auto function = std::move(next->second);
          waiting_.erase(next);
          lock.unlock();
          function();
          lock.lock();
        }
      }) {}

Timers::~Timers() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void Timers::after(std::chrono::duration<double> delay, std::function<void()> function) {
  const auto due =
      std::chrono::steady_clock::now() + std::chrono::duration_cast<std::chrono::steady_clock::duration>(delay);
  {
    const std::lock_guard lock(mutex_);
    waiting_.emplace(due, std::move(function));
  }
  changed_.notify_one();
}

}  // namespace skerry::serve
