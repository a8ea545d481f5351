/// \file
/// The process's worker threads, and one loop as they share it out.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>

#include "base/threads.hpp"

namespace skerry::base {

/// A parallel_for in flight; lives on its caller's stack.
///
///     pieces   0 1 2 3 4 5 | 6 7 8 9 10 11 | 12 13 14 15 16     each thread starts in a slice of its own, so that the
///     slices   0           | 1             | 2                  same thread meets the same memory in the next loop
///     too;
///                                                               one that is done helps in the next slice
class Loop {
 public:
  Loop(std::size_t begin, std::size_t end, std::size_t grain, std::size_t pieces, int threads,
       RangeFunction fn) noexcept;

  /// Runs pieces until none is left; what fn throws is kept for the caller.
  void work(std::size_t home_slice) noexcept;
  /// Throws what was kept. Only once all helpers have left.
  void rethrow() const {
    if (error_) std::rethrow_exception(error_);
  }

  // Kept by the pool, under its lock.
  int places = 0;               ///< threads that may still join
  Loop* next = nullptr;         ///< in the list of open loops
  std::atomic<int> helpers{0};  ///< threads that joined and have not left; falls without the lock

 private:
  struct alignas(64) Slice {
    std::atomic<std::size_t> next{0};
    std::size_t last = 0;
  };
  static constexpr std::size_t kMaxSlices = 32;  // more threads share slices: 2 KiB of stack are enough

  void run_piece(std::size_t piece) const;

  RangeFunction fn_;
  std::size_t begin_, end_, grain_, slice_count_;
  std::array<Slice, kMaxSlices> slices_;
  std::atomic<bool> failed_{false};
  std::exception_ptr error_;
};

/// Runs `loop` on the calling thread and on up to `helpers` workers, which are started when they are first needed.
void run_on_pool(Loop& loop, int helpers);

/// Whether this thread is inside a loop that is shared out.
bool inside_loop() noexcept;

}  // namespace skerry::base
