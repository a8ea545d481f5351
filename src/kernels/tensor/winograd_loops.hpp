/// \file
/// The transforms of winograd.hpp in vectors, for m = 4 and m = 2.
#pragma once

#include <cstddef>

namespace skerry::kernels {

/// v[position * v_position + c] = (B^T d B) of the (m + 2)^2 pixels d[i * d_row + j * channels + c], of which those
/// outside of rows [first_row, last_row) and columns [first_column, last_column) are 0 and not read.
struct WinogradInput {
  const float* d;
  std::size_t d_row, channels;
  std::size_t first_row, last_row, first_column, last_column;
  float* v;
  std::size_t v_position;
};
void winograd_input(std::size_t m, const WinogradInput& input);

/// y[i * y_row + j * outputs + o] = clamp((A^T s A)[i, j] + bias[o] + residual[same place]) for i < rows, j < columns.
struct WinogradOutput {
  const float* s;  ///< of position p: s[p * s_position + o]
  std::size_t s_position, outputs;
  const float* bias;
  const float* residual;  ///< or null
  float* y;
  std::size_t y_row, rows, columns;
  float low, high;
};
void winograd_output(std::size_t m, const WinogradOutput& output);

}  // namespace skerry::kernels
