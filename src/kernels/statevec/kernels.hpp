/// \file
/// The gate kernels, by structure of the matrix, and the choice among their implementations (kernels.def).
#pragma once

#include <complex>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "kernels/statevec/groups.hpp"
#include "kernels/statevec/state_view.hpp"

namespace skerry::kernels {

/// More targets than this need a buffer that the stack should not hold.
inline constexpr std::size_t kMaxDenseTargets = 12;

/// At least the amplitudes of the widest vector, so that no kernel has a tail.
inline constexpr std::size_t kGroupAlignment = 64;

/// One implementation of all gate kernels. Each changes the groups [begin, end) of `state` in place, x being the
/// members of a group; calls on disjoint ranges may run at once. begin and end are multiples of kGroupAlignment or the
/// number of groups. No allocation.
template <class T>
struct Kernels {
  std::string_view name;
  /// x <- M x. matrix: 2^k x 2^k, row-major, k <= kMaxDenseTargets. Need not be unitary.
  void (*dense)(StateView<T>, const Groups&, std::span<const std::complex<T>> matrix, std::size_t begin,
                std::size_t end);
  /// x[r] <- entries[r] x[r]; entries of exactly 1 cost nothing.
  void (*diagonal)(StateView<T>, const Groups&, std::span<const std::complex<T>> entries, std::size_t begin,
                   std::size_t end);
  /// x[r] <- factors[r] x[sources[r]] with sources a permutation; k <= kMaxDenseTargets.
  void (*permute)(StateView<T>, const Groups&, std::span<const std::uint32_t> sources,
                  std::span<const std::complex<T>> factors, std::size_t begin, std::size_t end);
};

/// All implementations, in the order of kernels.def.
template <class T>
std::span<const Kernels<T>* const> all_kernels();

/// The implementation in use. Errors: invalid_argument when SKERRY_FORCE_KERNEL names none.
template <class T>
const Kernels<T>& kernels();

}  // namespace skerry::kernels
