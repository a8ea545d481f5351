/// \file
/// Small dense linear algebra of matrix product states: products, and orthogonal rows. Row-major complex128.
#pragma once

#include <complex>
#include <cstddef>
#include <span>
#include <vector>

namespace skerry::kernels {

using Complex = std::complex<double>;

/// c <- a b; a is rows x inner, b inner x columns. c must not overlap the others.
void multiply(std::size_t rows, std::size_t inner, std::size_t columns, const Complex* a, const Complex* b, Complex* c);

/// Rotates `count` rows of `length` into one another by a unitary matrix until they are orthogonal to rounding: their
/// norms are then the singular values. norms: count, the squared norms. Rows whose squared norm is below `floor` times
/// the sum of all are left as they are. Source: one-sided Jacobi; Demmel, Veselic, SIAM J. Matrix Anal. Appl. 13
/// (1992).
void orthogonalize_rows(Complex* rows, std::size_t count, std::size_t length, double floor, std::span<double> norms);

/// rows = factor q with orthonormal rows q, which are written over the first of the rows; gives their number, at most
/// count. factor: count x (that number), row-major, lower trapezoidal. A row that depends on earlier ones to rounding
/// makes none of its own. Gram-Schmidt, twice over. Source: Giraud, Langou, Rozloznik, Comput. Math. Appl. 50 (2005).
std::size_t orthonormalize_rows(Complex* rows, std::size_t count, std::size_t length, std::vector<Complex>& factor);

/// sum of conj(a_i) b_i.
Complex inner_product(const Complex* a, const Complex* b, std::size_t length);

}  // namespace skerry::kernels
