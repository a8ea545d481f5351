/// \file
/// The process's worker threads, and one loop as they share it out.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <optional>

#include "base/obey.hpp"
#include "base/threads.hpp"

namespace skerry::base {

/// The pieces of one parallel_for. Memory that one processor wrote and another reads takes 50 ns to 300 ns to get
/// there, so little is shared and nothing is looked at that needs not be.
///
///     pieces   0 1 2 3 4 5 | 6 7 8 9 10 11 | 12 13 14 15 16     each thread starts in a slice of its own, so that the
///     slices   0           | 1             | 2                  same thread meets the same memory in the next loop
///     too;
///                                                               one that is done helps in the next slice
class alignas(64) Loop {
 public:
  /// Before anybody works on it.
  void begin(std::size_t first, std::size_t end, std::size_t grain, std::size_t pieces, int threads,
             RangeFunction fn) noexcept;
  /// A helper's: runs pieces until none is left; what fn throws is kept for the caller.
  void help(std::size_t home_slice) noexcept;
  /// The caller's: the pieces of its own slice.
  void work_at_home() noexcept { work(0, 1); }
  /// The caller's, once it has done its own: those of others, where one may be left. all_came: helpers took every
  /// place; if each slice is one piece, nothing is.
  void work_elsewhere(bool all_came) noexcept {
    if (!single_ || !all_came) work(1, slice_count_);
  }
  /// Fetches what a helper that begins at `home_slice` is going to touch, all of it at once.
  void prefetch(std::size_t home_slice) const noexcept {
    __builtin_prefetch(this);
    __builtin_prefetch(&slices_[home_slice % 2], 1);  // it is about loops of two
  }
  /// Forgets the function; what was kept, or null. Only once all helpers have left.
  std::exception_ptr end() noexcept;

 private:
  struct alignas(64) Slice {
    std::atomic<std::size_t> next{0};
    std::size_t last = 0;
  };
  static constexpr std::size_t kMaxSlices = 32;  // more threads share slices

  void work(std::size_t first_slice, std::size_t end_slice) noexcept;

  // One line of the cache, which a helper waits for.
  std::optional<RangeFunction> fn_;
  const RunControl* obeyed_ = nullptr;  ///< by its caller
  std::size_t begin_ = 0, end_ = 0, grain_ = 1;
  std::uint32_t slice_count_ = 0;
  bool single_ = false;  ///< each slice is one piece
  std::atomic<bool> failed_{false};
  std::exception_ptr error_;
  std::array<Slice, kMaxSlices> slices_;
};

/// Runs a loop on the calling thread and on up to `threads` - 1 workers, which are started when they are first needed.
/// Throws what fn threw.
void run_on_pool(std::size_t begin, std::size_t end, std::size_t grain, std::size_t pieces, int threads,
                 RangeFunction fn);

/// Whether this thread is inside a loop that is shared out.
bool inside_loop() noexcept;

}  // namespace skerry::base
