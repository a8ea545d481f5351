/// \file
/// Threads for what takes longer than reading a request: loading, large bodies, circuits.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

namespace skerry::serve {

/// A fixed number of tasks that run at once and a bounded queue of others. Owners of tasks take turns, each in its own
/// order, and a queue that one of them has filled still takes another's up to its share. From any thread.
class Workers {
 public:
  /// max_paused: how many tasks may wait in yield() at once, each of which keeps what it holds.
  Workers(int threads, std::size_t max_queue, std::size_t max_paused = 0);
  /// Runs what waits, then ends.
  ~Workers();
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;

  /// The task must not throw. Errors: unavailable when the queue is full and this owner has its share of it.
  void post(std::function<void()> task, const std::string& owner = {});
  /// The same for what was taken on before: however many wait.
  void put(std::function<void()> task, const std::string& owner);
  /// For a task of this owner, on its thread: lets others have their turn first, if they wait for one and no more than
  /// max_paused do so already. Returns at once when asked to stop.
  void yield(const std::string& owner, const std::stop_token& stop);
  std::size_t waiting() const;

 private:
  struct Turns {
    std::deque<std::function<void()>> tasks;
    std::deque<const void*> paused;  // who waits in yield(): they come before the tasks
  };
  using Owners = std::map<std::string, Turns>;

  void work();
  Owners::iterator turn();
  bool is_free() const noexcept { return running_ < most_running_ && !owners_.empty(); }
  void erase_if_done(Owners::iterator owner);

  const std::size_t most_running_, max_queue_, max_paused_;
  mutable std::mutex mutex_;
  std::condition_variable_any changed_;
  Owners owners_;     // none has nothing
  std::string last_;  // whose turn it was
  std::size_t waiting_ = 0, running_ = 0, paused_ = 0;
  bool ending_ = false;
  std::vector<std::thread> threads_;
};

/// One thread that calls functions at their time. From any thread.
class Timers {
 public:
  Timers();
  /// Functions that wait are dropped.
  ~Timers();
  Timers(const Timers&) = delete;
  Timers& operator=(const Timers&) = delete;

  /// The function must be short and not throw.
  void after(std::chrono::duration<double> delay, std::function<void()> function);

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::multimap<std::chrono::steady_clock::time_point, std::function<void()>> waiting_;
  bool ending_ = false;
  std::thread thread_;
};

}  // namespace skerry::serve
