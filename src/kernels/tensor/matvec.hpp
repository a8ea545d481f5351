/// \file
/// One row times a packed right side: each weight is used once, so all that counts is how fast they stream by.
#pragma once

#include <cstddef>

namespace skerry::kernels {

/// y[j] = clamp(start[j] + residual[j] + sum over k < depth of x[k] * right[k, j], low, high) for j < columns; a
/// not-a-number stays. The sum of a column does not depend on which columns are computed together.
struct MatVec {
  const float* x;
  const float* right;                 ///< as pack_right() left it
  std::size_t depth, columns, width;  ///< width: of all its panels
  const float* start;                 ///< or null; may be y
  const float* residual;              ///< or null
  float low, high;
  float* y;
};
/// Vectors [first, last) of columns, on the calling thread.
void run_matvec(const MatVec& product, std::size_t first, std::size_t last);
/// All of them, shared by the threads where the weights are worth it.
void matvec(const MatVec& product);

}  // namespace skerry::kernels
