/// \file
/// Threads for what takes longer than reading a request: loading, large bodies, circuits.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace skerry::serve {

/// A fixed number of threads and a bounded queue of tasks. Owners of tasks take turns, each in its own order, and a
/// queue that one of them has filled still takes another's up to its share. From any thread.
class Workers {
 public:
  Workers(int threads, std::size_t max_queue);
  /// Runs what waits, then ends.
  ~Workers();
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;

  /// The task must not throw. Errors: unavailable when the queue is full and this owner has its share of it.
  void post(std::function<void()> task, const std::string& owner = {});
  /// The same for what was taken on before: however many wait.
  void put(std::function<void()> task, const std::string& owner);
  std::size_t waiting() const;

 private:
  void work();
  std::function<void()> next();

  std::size_t max_queue_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, std::deque<std::function<void()>>> queues_;  // by owner; none is empty
  std::string last_;                                                 // whose turn it was
  std::size_t waiting_ = 0;
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
