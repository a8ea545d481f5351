/// \file
/// Linear maps on density matrices in the Pauli basis: real arithmetic, half the memory of a complex matrix.
///
/// A state of n wires is the 4^n real numbers tr(P rho). Two bits of the index belong to each wire:
///
///     index  … z1 x1 z0 x0        x w, z w: the string has an X, a Z on wire w; both: a Y
///
/// so a gate or a channel on k wires is a real 4^k x 4^k matrix on k of these digits (the Pauli transfer matrix), a
/// Clifford gate is a permutation with signs, and a Pauli channel is diagonal. Source: Greenbaum 2015,
/// arXiv:1509.02921.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <skerry/progress.hpp>
#include <span>
#include <vector>

namespace skerry::kernels {

/// Digits one map may act on.
inline constexpr std::size_t kMaxDigits = 4;

/// A map made ready: first a 4 x 4 matrix on each digit by itself, then one sparse matrix on all of them together.
template <class T>
struct Transfer {
  std::vector<int> digits;                ///< 1 to kMaxDigits, distinct; the first is the least significant
  std::vector<std::array<T, 16>> before;  ///< one for each digit, row-major; empty: none
  /// Rows of the sparse matrix, each its columns and values; no rows: the identity.
  std::vector<std::uint32_t> row_begin, columns;
  std::vector<T> values;

  /// rows: a 4^k x 4^k matrix, row-major, of which entries below 1e-15 count as zero. Empty: the identity.
  Transfer(std::vector<int> on, std::span<const std::array<double, 16>> each_before, std::span<const double> rows);
};

/// Changes the 4^wires numbers of `state` in place, on up to thread_budget() threads; the result does not depend on
/// their number. Preconditions: 64-byte aligned; digits below wires. Errors: what control.check() throws.
template <class T>
void apply(const Transfer<T>& map, std::span<T> state, int wires, const RunControl& control);

}  // namespace skerry::kernels
