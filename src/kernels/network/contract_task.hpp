/// \file
/// One block of a contraction, cut out for a worker.
#pragma once

#include <cstddef>

#include "kernels/network/contract.hpp"

namespace skerry::kernels {

/// A block of a is 2 x 32 x 64 numbers, one of b 2 x 64 x 64: 96 KB of complex128, which a second-level cache holds
/// while each panel passes through the first.
inline constexpr std::size_t kRowBlock = 32, kColumnBlock = 64, kInnerBlock = 64;

/// Pointers stand at the block's batch; offsets are those of its rows and columns.
template <class T>
struct ContractionTask {
  const T* a;
  const T* b;
  T* c;
  std::size_t a_plane, b_plane, c_plane, c_stride;
  std::size_t rows, columns, inner;
  std::size_t column_run;  ///< columns that lie side by side
  const std::size_t* row_offset;
  const std::size_t* column_offset;
  const Spread* a_inner;
  const Spread* b_inner;
};

/// Too few columns for a vector.
template <class T>
void scalar_task(const ContractionTask<T>& task) {
  for (std::size_t row = 0; row < task.rows; ++row) {
    for (std::size_t column = 0; column < task.columns; ++column) {
      T re = 0, im = 0;
      for (std::size_t k = 0; k < task.inner; ++k) {
        const T* const x = task.a + task.row_offset[row] + (*task.a_inner)(k);
        const T* const y = task.b + task.column_offset[column] + (*task.b_inner)(k);
        re += x[0] * y[0] - x[task.a_plane] * y[task.b_plane];
        im += x[0] * y[task.b_plane] + x[task.a_plane] * y[0];
      }
      T* const to = task.c + row * task.c_stride + column;
      to[0] = re;
      to[task.c_plane] = im;
    }
  }
}

template <class T>
void run_contraction(const ContractionTask<T>& task);
template <>
void run_contraction(const ContractionTask<float>& task);
template <>
void run_contraction(const ContractionTask<double>& task);

}  // namespace skerry::kernels
