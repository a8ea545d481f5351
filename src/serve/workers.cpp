#include "serve/workers.hpp"

#include <algorithm>
#include <skerry/error.hpp>

namespace skerry::serve {

Workers::Workers(int threads, std::size_t max_queue, std::size_t max_paused)
    : most_running_(static_cast<std::size_t>(threads)), max_queue_(max_queue), max_paused_(max_paused) {
  const std::size_t all = most_running_ == 0 ? 0 : most_running_ + max_paused_;
  for (std::size_t i = 0; i < all; ++i) threads_.emplace_back([this] { work(); });
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
    const auto own = owners_.find(owner);
    const std::size_t owners = owners_.size() + (own == owners_.end() ? 1 : 0);
    const std::size_t share = owners == 1 ? max_queue_ : std::max<std::size_t>(1, max_queue_ / owners);
    if (waiting_ >= max_queue_ && (own == owners_.end() ? 0 : own->second.tasks.size()) >= share) {
      throw Error(ErrorCode::unavailable, "the server is busy, " + std::to_string(waiting_) + " requests wait", "queue",
                  "try again later");
    }
    owners_[owner].tasks.push_back(std::move(task));
    ++waiting_;
  }
  changed_.notify_all();
}

void Workers::put(std::function<void()> task, const std::string& owner) {
  {
    const std::lock_guard lock(mutex_);
    owners_[owner].tasks.push_back(std::move(task));
    ++waiting_;
  }
  changed_.notify_all();
}

// Whose turn it is, of those who have something.
Workers::Owners::iterator Workers::turn() {
  const auto next = owners_.upper_bound(last_);
  return next == owners_.end() ? owners_.begin() : next;
}

void Workers::erase_if_done(Owners::iterator owner) {
  if (owner->second.tasks.empty() && owner->second.paused.empty()) owners_.erase(owner);
}

void Workers::yield(const std::string& owner, const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  const auto is_other = [&owner](const auto& one) { return one.first != owner; };
  if (paused_ == max_paused_ || std::ranges::none_of(owners_, is_other)) return;
  const auto own = owners_.try_emplace(owner).first;
  own->second.paused.push_back(&lock);
  last_ = owner;
  ++paused_;
  --running_;
  changed_.notify_all();
  changed_.wait(lock, stop, [&] {
    if (!is_free()) return false;
    const auto next = turn();
    return !next->second.paused.empty() && next->second.paused.front() == &lock;
  });
  // Asked to stop, it runs for a moment beside the others.
  std::erase(own->second.paused, &lock);
  erase_if_done(own);
  last_ = owner;
  --paused_;
  ++running_;
  lock.unlock();
  changed_.notify_all();
}

std::size_t Workers::waiting() const {
  const std::lock_guard lock(mutex_);
  return waiting_;
}

void Workers::work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return (ending_ && waiting_ == 0) || (is_free() && turn()->second.paused.empty()); });
    if (waiting_ == 0) return;
    const auto next = turn();
    last_ = next->first;
    const std::function<void()> task = std::move(next->second.tasks.front());
    next->second.tasks.pop_front();
    erase_if_done(next);
    --waiting_;
    ++running_;
    lock.unlock();
    task();
    lock.lock();
    --running_;
    changed_.notify_all();
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
