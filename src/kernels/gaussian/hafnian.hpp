/// \file
/// Sums over matchings: hafnian, loop hafnian, torontonian. They are what photon counts of Gaussian states are made of.
#pragma once

#include <complex>
#include <cstddef>
#include <span>

namespace skerry::kernels::gaussian {

/// Larger matrices would take years.
inline constexpr std::size_t kMaxHafnian = 60;
inline constexpr std::size_t kMaxTorontonian = 40;

/// Sum over all perfect matchings of n vertices of the product of the edges' weights; matrix: n x n, symmetric (the
/// part below the diagonal is read). 1 for n = 0, 0 for odd n. Time 2^{n/2} times a small polynomial, memory n^4 / 8.
/// Source: Björklund, "Counting perfect matchings as fast as Ryser", SODA 2012.
/// Errors: limit_exceeded above kMaxHafnian.
double hafnian(std::size_t n, std::span<const double> matrix);
std::complex<double> hafnian(std::size_t n, std::span<const std::complex<double>> matrix);

/// The same over matchings in which a vertex may also be matched with itself, at the weight loops[i]. The recursion is
/// Björklund's with one more polynomial for each vertex: that of paths which begin in a loop.
double loop_hafnian(std::size_t n, std::span<const double> matrix, std::span<const double> loops);
std::complex<double> loop_hafnian(std::size_t n, std::span<const std::complex<double>> matrix,
                                  std::span<const std::complex<double>> loops);

/// Sum over subsets S of m modes of (-1)^{m - |S|} / sqrt(det(1 - O_S)), O being 2m x 2m, Hermitian, and O_S its rows
/// and columns i and m + i for i in S. Time O(2^m). Source: Quesada, Arrazola, Killoran, Phys. Rev. A 98, 062322, 2018.
/// Errors: limit_exceeded above kMaxTorontonian modes; invalid_argument when 1 - O is not positive definite.
double torontonian(std::size_t modes, std::span<const std::complex<double>> matrix);

/// Sum over subsets S of m modes of (-1)^{|S|} exp(-s_S^T C_S^{-1} s_S / 4) / sqrt(det(C_S)) for a real symmetric C
/// (2m x 2m, x before p, above the diagonal is read) and s: the probability that all m modes of the Gaussian state of
/// mean s and covariance 2 C - 1 click. Errors: as torontonian().
double click_sum(std::size_t modes, std::span<const double> matrix, std::span<const double> shift);

}  // namespace skerry::kernels::gaussian
