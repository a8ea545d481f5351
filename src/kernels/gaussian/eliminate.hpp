/// \file
/// Gaussian elimination of the first rows of a symmetric matrix: what conditions a Gaussian state on an outcome.
#pragma once

#include <cstddef>
#include <span>

namespace skerry::kernels::gaussian {

/// matrix: size x size, row-major; its part above and on the diagonal is read and changed (below it, anything may be
/// written). Rows `count` and later become those of the Schur complement, the first `count` those of D L^T with the
/// pivots on the diagonal; vector becomes L^{-1} vector. Four pivots at a time, so that a row is read and written once
/// for four multiply-adds. Errors: invalid_argument when a pivot is not positive.
void eliminate(std::size_t size, std::size_t count, std::span<double> matrix, std::span<double> vector);

}  // namespace skerry::kernels::gaussian
