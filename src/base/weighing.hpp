/// \file
/// Finding out what something takes without doing it.
#pragma once

#include <cstdint>
#include <utility>

namespace skerry::base {

/// Whether this thread only weighs; set by Weighing.
inline constinit thread_local bool is_weighing = false;

/// What takes less than this is made as ever.
inline constexpr std::uint64_t kWeighedBytes = std::uint64_t{64} << 10;

/// For a scope, large memory that this thread takes is not cleared, and large weights are neither computed nor put into
/// the order in which kernels read them: what is compiled and prepared then has all its sizes and prices, anything for
/// content, and must not be run. Whoever needs true elements meanwhile opens a scope with `false`.
class Weighing {
 public:
  explicit Weighing(bool weighs = true) noexcept : outer_(std::exchange(is_weighing, weighs)) {}
  Weighing(const Weighing&) = delete;
  Weighing& operator=(const Weighing&) = delete;
  ~Weighing() { is_weighing = outer_; }

 private:
  bool outer_;
};

}  // namespace skerry::base
