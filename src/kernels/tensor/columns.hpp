/// \file
/// What kernels of columns.cpp walk down.
#pragma once

#include <cstddef>

namespace skerry::kernels {

/// At most so many at a time: their running values lie on the stack.
inline constexpr std::size_t kColumns = 256;

/// Neighbouring columns of one matrix: `length` rows that lie `stride` apart. y, of the same layout, may be null.
struct Columns {
  const float* x;
  std::size_t length, stride, count;
  float* y;
};

/// What is summed up over a row.
enum class Term { value, magnitude, square };

}  // namespace skerry::kernels
