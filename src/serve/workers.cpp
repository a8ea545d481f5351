#include "serve/workers.hpp"

#include <algorithm>
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

void Workers::post(std::function<void()> task, const std::string& owner) {
  {
    const std::lock_guard lock(mutex_);
    const auto own = queues_.find(owner);
    const std::size_t owners = queues_.size() + (own == queues_.end() ? 1 : 0);
    const std::size_t share = owners == 1 ? max_queue_ : std::max<std::size_t>(1, max_queue_ / owners);
    if (waiting_ >= max_queue_ && (own == queues_.end() ? 0 : own->second.size()) >= share) {
      throw Error(ErrorCode::unavailable, "the server is busy, " + std::to_string(waiting_) + " requests wait", "queue",
                  "try again later");
    }
    queues_[owner].push_back(std::move(task));
    ++waiting_;
  }
  changed_.notify_one();
}

void Workers::put(std::function<void()> task, const std::string& owner) {
  {
    const std::lock_guard lock(mutex_);
    queues_[owner].push_back(std::move(task));
    ++waiting_;
  }
  changed_.notify_one();
}

std::function<void()> Workers::next() {
  auto turn = queues_.upper_bound(last_);
  if (turn == queues_.end()) turn = queues_.begin();
  last_ = turn->first;
  std::function<void()> task = std::move(turn->second.front());
  turn->second.pop_front();
  if (turn->second.empty()) queues_.erase(turn);
  --waiting_;
  return task;
}

std::size_t Workers::waiting() const {
  const std::lock_guard lock(mutex_);
  return waiting_;
}

void Workers::work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return ending_ || waiting_ > 0; });
    if (waiting_ == 0) return;
    const auto task = next();
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
