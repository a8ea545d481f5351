/// \file
/// Which numbers of a Pauli vector a map brings together, and how they are taken into a block and put back.
#pragma once

#include <cstddef>
#include <vector>

#include "kernels/density/transfer.hpp"

namespace skerry::kernels {

/// Groups side by side in a block: a cache line of them, whatever the width of the vector units.
template <class T>
inline constexpr std::size_t kLanes = 64 / sizeof(T);
inline constexpr std::size_t kMaxRows = std::size_t{1} << (2 * kMaxDigits);

/// The groups of a map on some digits: group g has its first number at base(g), the others at places() from there.
class Rows {
 public:
  Rows(std::span<const int> digits, std::size_t lanes);
  std::size_t count() const noexcept { return places_.size(); }
  /// Bases of groups g, g + 1, … are neighbours for so many groups from every multiple of it.
  std::size_t run() const noexcept { return run_; }
  std::span<const std::size_t> places() const noexcept { return places_; }
  /// Offset of row r in a block.
  std::span<const std::size_t> packed() const noexcept { return packed_; }
  std::size_t base(std::size_t group) const noexcept {
    for (const int bit : low_bits_) {
      const std::size_t low = (std::size_t{1} << bit) - 1;
      group = (group & ~low) << 2 | (group & low);
    }
    return group;
  }

 private:
  std::vector<int> low_bits_;  // of the digits, ascending
  std::vector<std::size_t> places_, packed_;
  std::size_t run_;
};

template <class T>
void gather(const Rows& rows, const T* state, std::size_t group, std::size_t width, T* block) {
  for (std::size_t lane = 0; lane < width; ++lane) {
    const T* from = state + rows.base(group + lane);
    for (std::size_t r = 0; r < rows.count(); ++r) block[r * kLanes<T> + lane] = from[rows.places()[r]];
  }
  for (std::size_t lane = width; lane < kLanes<T>; ++lane)
    for (std::size_t r = 0; r < rows.count(); ++r) block[r * kLanes<T> + lane] = T(0);
}

template <class T>
void scatter(const Rows& rows, const T* block, std::size_t group, std::size_t width, T* state) {
  for (std::size_t lane = 0; lane < width; ++lane) {
    T* to = state + rows.base(group + lane);
    for (std::size_t r = 0; r < rows.count(); ++r) to[rows.places()[r]] = block[r * kLanes<T> + lane];
  }
}

/// Groups [begin, end), begin a multiple of kLanes.
void transfer_groups(const Transfer<float>& map, const Rows& rows, float* state, std::size_t begin, std::size_t end);
void transfer_groups(const Transfer<double>& map, const Rows& rows, double* state, std::size_t begin, std::size_t end);

}  // namespace skerry::kernels
