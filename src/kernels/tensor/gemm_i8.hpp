/// \file
/// Products of 8-bit integers summed in 32 bits over packed panels, the engine below quantised MatMul, Gemm and Conv.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace skerry::kernels {

/// Results that are kept in registers while the depth runs; depths are taken four at a time, as VNNI wants them.
inline constexpr std::size_t kRowsI8 = 12, kColumnsI8 = 32, kGroupI8 = 4;

/// One side holds u8, the other i8: VNNI multiplies such pairs. A side of the other sign is flipped while it is packed
/// (x ^ 0x80 is x + 128 or x - 128), which moves its zero point by as much.
enum class SignsI8 : std::uint8_t { left_signed, left_unsigned };

constexpr std::size_t groups_i8(std::size_t depth) noexcept {
  return (depth + kGroupI8 - 1) / kGroupI8;
}
/// Packed left: panels of kRowsI8 rows, each [group][row][4]; packed right: panels of kColumnsI8 columns, each
/// [group][column][4]; zeros past the ends.
std::size_t packed_left_i8_bytes(std::size_t rows, std::size_t depth) noexcept;
std::size_t packed_right_i8_bytes(std::size_t depth, std::size_t columns) noexcept;

/// Packs a[i * row + k * column] ^ flip. sums: of each row after the flip, or null.
void pack_left_i8(const std::uint8_t* a, std::size_t row, std::size_t column, std::size_t rows, std::size_t depth,
                  std::uint8_t flip, SignsI8 signs, std::uint8_t* packed, std::int32_t* sums);
/// Packs four depths of up to kColumnsI8 columns, at least one: lines[k][j] ^ flip of `depths` lines into one group.
void pack_group_i8(const std::uint8_t* const* lines, std::size_t depths, std::size_t columns, std::uint8_t flip,
                   std::uint8_t* group);
/// Packs b[k * row + j * column] ^ flip. sums: of each column after the flip, or null.
void pack_right_i8(const std::uint8_t* b, std::size_t row, std::size_t column, std::size_t depth, std::size_t columns,
                   std::uint8_t flip, SignsI8 signs, std::uint8_t* packed, std::int32_t* sums);
/// Sums of packed columns.
void sum_columns_i8(const std::uint8_t* packed, std::size_t groups, std::size_t columns, SignsI8 signs,
                    std::int32_t* sums);

/// What becomes of the sums s[i, j]: v = s + row_add[i] + column_add[j] + row_mul[i] * column_mul[j] (each where not
/// null, the products only both together, wrapping), then one of
///   i32:       v
///   quantised: saturate(round(scale * v) + zero) with ties to even, one scale, one per row or one per column
///   f32:       scale * v + the column's bias where there is one.
struct EndI8 {
  const std::int32_t *row_add = nullptr, *column_add = nullptr;
  const std::int32_t *row_mul = nullptr, *column_mul = nullptr;
  enum class To : std::uint8_t { i32, u8, i8, f32 } to = To::i32;
  const float *row_scale = nullptr, *column_scale = nullptr;  ///< at most one of them
  float scale = 1.0F;                                         ///< where there is neither
  const float* column_bias = nullptr;                         ///< f32 only
  std::int32_t zero = 0;                                      ///< of the quantised result
  std::int32_t low = 0;                                       ///< smallest quantised value, an activation's as well
  std::int32_t high = 0;                                      ///< largest one
};

/// The block [rows, columns] that begins at row `row` (a multiple of kRowsI8) of the packed left side and column
/// `column` (of kColumnsI8) of the right one; y is its first element, y_row elements apart. Vectors of `end` are
/// indexed as the whole matrix. On the calling thread.
struct BlockI8 {
  std::size_t row, rows, column, columns, groups;
  const std::uint8_t *left, *right;
  SignsI8 signs;
  void* y;
  std::size_t y_row;
};
void gemm_block_i8(const BlockI8& block, const EndI8& end);

/// How many multiply-adds' worth of time a product takes, counting the rows and columns that only fill a tile.
double gemm_i8_effective_steps(std::size_t rows, std::size_t columns, std::size_t depth) noexcept;

}  // namespace skerry::kernels
