/// \file
/// The inner loops of 8-bit products, one set for each instruction set.
#pragma once

#include "kernels/tensor/gemm_i8.hpp"

namespace skerry::kernels {

/// sums[r * kColumnsI8 + c] = the products of a left panel and a right one, for `rows` <= kRowsI8 rows.
using TileI8 = void (*)(const std::uint8_t* left, const std::uint8_t* right, std::size_t groups, std::size_t rows,
                        std::int32_t* sums);
/// Writes `rows` x `columns` of a tile's sums as `end` says; row and column: of the tile in the whole matrix.
using FinishI8 = void (*)(const std::int32_t* sums, std::size_t row, std::size_t rows, std::size_t column,
                          std::size_t columns, void* y, std::size_t y_row, const EndI8& end);

struct TilesI8 {
  TileI8 left_signed, left_unsigned;
  FinishI8 finish;
};

/// Plain loops.
const TilesI8& portable_tiles_i8() noexcept;
/// Those of this CPU, null where it is not an x86 with AVX2.
const TilesI8* x86_tiles_i8() noexcept;

}  // namespace skerry::kernels
