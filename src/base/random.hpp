/// \file
/// The one random generator: Philox4x32-10, whose n-th draw is a function of (seed, stream, n) and nothing else.
#pragma once

#include <array>
#include <cstdint>
#include <limits>

namespace skerry::base {

/// Counter-based generator; a value of a few bytes, cheap to make. A UniformRandomBitGenerator for <algorithm>.
///
/// Key = seed; counter = (draw / 4, stream). Different streams of one seed never meet, so that work item i takes stream
/// i (or seeks to its own draws) and gets the same numbers on any thread. Source: Salmon, Moraes, Dror, Shaw, "Parallel
/// random numbers: as easy as 1, 2, 3", SC'11.
class Philox {
 public:
  using result_type = std::uint32_t;
  using Counter = std::array<std::uint32_t, 4>;
  using Key = std::array<std::uint32_t, 2>;

  explicit Philox(std::uint64_t seed, std::uint64_t stream = 0) noexcept;

  /// The bijection itself: ten rounds on `counter` under `key`; words least significant first.
  static Counter block(Counter counter, Key key) noexcept;

  static constexpr result_type min() { return 0; }
  static constexpr result_type max() { return std::numeric_limits<result_type>::max(); }

  /// The next 32 uniform bits.
  result_type operator()() noexcept {
    if ((draw_ & 3) == 0) refill();
    return words_[draw_++ & 3];
  }
  /// The next multiple of 2^-53 in [0, 1); takes two draws.
  double uniform() noexcept {
    const std::uint64_t low = (*this)();
    const std::uint64_t high = (*this)();
    return static_cast<double>((high << 32 | low) >> 11) * 0x1p-53;
  }

  /// Number of 32-bit draws made so far.
  std::uint64_t position() const noexcept { return draw_; }
  /// Goes to any draw in constant time, so uniform number i of a stream is seek(2 * i), uniform().
  void seek(std::uint64_t draw) noexcept;

 private:
  void refill() noexcept;

  Key key_;
  std::uint64_t stream_;
  std::uint64_t draw_ = 0;
  Counter words_{};
};

}  // namespace skerry::base
