/// \file
/// The one owner of threads: a budget for the process and a loop that is split over it.
#pragma once

#include <cstddef>
#include <memory>
#include <type_traits>

namespace skerry::base {

/// How many threads a parallel_for that is called here may use, the caller included; at least 1.
///
/// The process's budget is what set_thread_budget said, else SKERRY_NUM_THREADS, else OMP_NUM_THREADS, else
/// usable_cpus(); a ThreadLimit on the calling thread narrows it. The environment is read once, at the first question.
int thread_budget();

/// Sets the process's budget; 0 goes back to the default. Errors: invalid_argument below 0 or above kMaxThreads.
void set_thread_budget(int threads);

inline constexpr int kMaxThreads = 1024;

/// Narrows thread_budget() on the calling thread for a scope (a run with threads=2); never widens it.
class ThreadLimit {
 public:
  /// Errors: invalid_argument below 1.
  explicit ThreadLimit(int threads);
  ThreadLimit(const ThreadLimit&) = delete;
  ThreadLimit& operator=(const ThreadLimit&) = delete;
  ~ThreadLimit();

 private:
  int outer_;
};

/// Flushes subnormal numbers to zero (inputs and results) on this thread for a scope: with subnormal input one
/// convolution took 366 ms instead of 1.8.
class FlushSubnormals {
 public:
  FlushSubnormals() noexcept;
  FlushSubnormals(const FlushSubnormals&) = delete;
  FlushSubnormals& operator=(const FlushSubnormals&) = delete;
  ~FlushSubnormals();

 private:
  unsigned long outer_;
};

/// A view of a callable void(begin, end); it must outlive the view.
class RangeFunction {
 public:
  template <class F>
    requires(!std::is_same_v<std::remove_cvref_t<F>, RangeFunction> &&
             std::is_invocable_v<F&, std::size_t, std::size_t>)
  RangeFunction(F&& function) noexcept  // NOLINT(google-explicit-constructor,bugprone-forwarding-reference-overload)
      : object_(const_cast<void*>(static_cast<const void*>(std::addressof(function)))),
        call_([](void* object, std::size_t begin, std::size_t end) {
          (*static_cast<std::remove_reference_t<F>*>(object))(begin, end);
        }) {}
  void operator()(std::size_t begin, std::size_t end) const { call_(object_, begin, end); }

 private:
  void* object_;
  void (*call_)(void*, std::size_t, std::size_t);
};

/// Calls fn(b, e) for [begin, begin + grain), [begin + grain, begin + 2 grain), … up to `end`, each once, in any order,
/// on up to thread_budget() threads, and returns when all are done. An empty range calls nothing.
///
/// The pieces depend on the grain alone, so what is computed per piece (a partial sum, a random draw) does not depend
/// on the number of threads. The caller takes part. A parallel_for inside a fn that is shared out runs in place, so
/// threads never multiply. Subnormals are flushed to zero inside fn. The first exception is thrown here once all
/// threads have stopped; pieces not yet begun are left out then. Cost: a piece should take microseconds; one piece, or
/// a budget of 1, costs no synchronisation at all. Errors: invalid_argument when grain is 0, or when SKERRY_NUM_THREADS
/// is not a number; between the pieces those of check_stop().
void parallel_for(std::size_t begin, std::size_t end, std::size_t grain, RangeFunction fn);

}  // namespace skerry::base
