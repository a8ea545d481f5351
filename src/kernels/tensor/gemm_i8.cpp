#include "kernels/tensor/gemm_i8.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "base/weighing.hpp"
#include "kernels/tensor/gemm_i8_tiles.hpp"

namespace skerry::kernels {
namespace {

constexpr std::size_t kTile = kRowsI8 * kColumnsI8;

std::int32_t read(std::uint8_t bits, bool is_signed) noexcept {
  return is_signed ? static_cast<std::int32_t>(static_cast<std::int8_t>(bits)) : static_cast<std::int32_t>(bits);
}

template <bool left_signed>
void tile_portable(const std::uint8_t* left, const std::uint8_t* right, std::size_t groups, std::size_t rows,
                   std::int32_t* sums) {
  std::fill_n(sums, rows * kColumnsI8, 0);
  for (std::size_t g = 0; g < groups; ++g) {
    for (std::size_t r = 0; r < rows; ++r) {
      for (std::size_t c = 0; c < kColumnsI8; ++c) {
        std::int32_t sum = 0;
        for (std::size_t k = 0; k < kGroupI8; ++k)
          sum += read(left[r * kGroupI8 + k], left_signed) * read(right[c * kGroupI8 + k], !left_signed);
        sums[r * kColumnsI8 + c] += sum;
      }
    }
    left += kRowsI8 * kGroupI8;
    right += kColumnsI8 * kGroupI8;
  }
}

// Sums wrap as the hardware's do.
std::int32_t corrected(std::int32_t sum, std::size_t i, std::size_t j, const EndI8& end) {
  auto v = static_cast<std::uint32_t>(sum);
  if (end.row_add != nullptr) v += static_cast<std::uint32_t>(end.row_add[i]);
  if (end.column_add != nullptr) v += static_cast<std::uint32_t>(end.column_add[j]);
  if (end.row_mul != nullptr)
    v += static_cast<std::uint32_t>(end.row_mul[i]) * static_cast<std::uint32_t>(end.column_mul[j]);
  return static_cast<std::int32_t>(v);
}

void finish_portable(const std::int32_t* sums, std::size_t row, std::size_t rows, std::size_t column,
                     std::size_t columns, void* y, std::size_t y_row, const EndI8& end) {
  const auto low = static_cast<float>(end.low - end.zero), high = static_cast<float>(end.high - end.zero);
  for (std::size_t r = 0; r < rows; ++r) {
    for (std::size_t c = 0; c < columns; ++c) {
      const std::size_t i = row + r, j = column + c, at = r * y_row + c;
      const std::int32_t v = corrected(sums[r * kColumnsI8 + c], i, j, end);
      if (end.to == EndI8::To::i32) {
        static_cast<std::int32_t*>(y)[at] = v;
        continue;
      }
      const float scale = end.row_scale != nullptr      ? end.row_scale[i]
                          : end.column_scale != nullptr ? end.column_scale[j]
                                                        : end.scale;
      const float scaled = static_cast<float>(v) * scale;
      if (end.to == EndI8::To::f32) {
        static_cast<float*>(y)[at] = end.column_bias != nullptr ? scaled + end.column_bias[j] : scaled;
        continue;
      }
      // Not-a-number goes to the lower end, as in vectors.
      const float inside = std::min(scaled > low ? scaled : low, high);
      static_cast<std::uint8_t*>(y)[at] =
          static_cast<std::uint8_t>(static_cast<std::int32_t>(std::nearbyint(inside)) + end.zero);
    }
  }
}

const TilesI8& tiles() noexcept {
  static const TilesI8& chosen = x86_tiles_i8() != nullptr ? *x86_tiles_i8() : portable_tiles_i8();
  return chosen;
}

std::size_t blocks(std::size_t extent, std::size_t width) noexcept {
  return (extent + width - 1) / width;
}

}  // namespace

const TilesI8& portable_tiles_i8() noexcept {
  static constexpr TilesI8 kTiles = {tile_portable<true>, tile_portable<false>, finish_portable};
  return kTiles;
}

std::size_t packed_left_i8_bytes(std::size_t rows, std::size_t depth) noexcept {
  return blocks(rows, kRowsI8) * kRowsI8 * groups_i8(depth) * kGroupI8;
}

std::size_t packed_right_i8_bytes(std::size_t depth, std::size_t columns) noexcept {
  return blocks(columns, kColumnsI8) * kColumnsI8 * groups_i8(depth) * kGroupI8;
}

void pack_left_i8(const std::uint8_t* a, std::size_t row, std::size_t column, std::size_t rows, std::size_t depth,
                  std::uint8_t flip, SignsI8 signs, std::uint8_t* packed, std::int32_t* sums) {
  if (base::is_weighing) return;
  const std::uint32_t flips = flip * 0x01010101U;
  const std::size_t whole = column == 1 ? depth / kGroupI8 : 0, groups = groups_i8(depth);
  const bool is_signed = signs == SignsI8::left_signed;
  std::memset(packed, 0, packed_left_i8_bytes(rows, depth));
  for (std::size_t i = 0; i < rows; ++i) {
    std::uint8_t* panel = packed + i / kRowsI8 * kRowsI8 * groups * kGroupI8 + i % kRowsI8 * kGroupI8;
    const std::uint8_t* from = a + i * row;
    for (std::size_t g = 0; g < whole; ++g) {
      std::uint32_t four = 0;
      std::memcpy(&four, from + g * kGroupI8, sizeof four);
      four ^= flips;
      std::memcpy(panel + g * kRowsI8 * kGroupI8, &four, sizeof four);
    }
    for (std::size_t k = whole * kGroupI8; k < depth; ++k)
      panel[k / kGroupI8 * kRowsI8 * kGroupI8 + k % kGroupI8] = static_cast<std::uint8_t>(from[k * column] ^ flip);
    if (sums == nullptr) continue;
    std::int32_t sum = 0;
    for (std::size_t k = 0; k < depth; ++k) sum += read(static_cast<std::uint8_t>(from[k * column] ^ flip), is_signed);
    sums[i] = sum;
  }
}

void pack_group_i8(const std::uint8_t* const* lines, std::size_t depths, std::size_t columns, std::uint8_t flip,
                   std::uint8_t* group) {
  if (depths == kGroupI8 && columns == kColumnsI8) {
    const std::uint8_t *a = lines[0], *b = lines[1], *c = lines[2], *d = lines[3];
    for (std::size_t j = 0; j < kColumnsI8; ++j) {
      group[4 * j] = static_cast<std::uint8_t>(a[j] ^ flip);
      group[4 * j + 1] = static_cast<std::uint8_t>(b[j] ^ flip);
      group[4 * j + 2] = static_cast<std::uint8_t>(c[j] ^ flip);
      group[4 * j + 3] = static_cast<std::uint8_t>(d[j] ^ flip);
    }
    return;
  }
  std::memset(group, 0, kColumnsI8 * kGroupI8);
  for (std::size_t k = 0; k < depths; ++k) {
    for (std::size_t j = 0; j < columns; ++j) group[j * kGroupI8 + k] = static_cast<std::uint8_t>(lines[k][j] ^ flip);
  }
}

void sum_columns_i8(const std::uint8_t* packed, std::size_t groups, std::size_t columns, SignsI8 signs,
                    std::int32_t* sums) {
  const bool is_signed = signs == SignsI8::left_unsigned;
  for (std::size_t j = 0; j < columns; ++j) {
    const std::uint8_t* panel = packed + j / kColumnsI8 * kColumnsI8 * groups * kGroupI8 + j % kColumnsI8 * kGroupI8;
    std::int32_t sum = 0;
    for (std::size_t g = 0; g < groups; ++g) {
      for (std::size_t k = 0; k < kGroupI8; ++k) sum += read(panel[g * kColumnsI8 * kGroupI8 + k], is_signed);
    }
    sums[j] = sum;
  }
}

void pack_right_i8(const std::uint8_t* b, std::size_t row, std::size_t column, std::size_t depth, std::size_t columns,
                   std::uint8_t flip, SignsI8 signs, std::uint8_t* packed, std::int32_t* sums) {
  if (base::is_weighing) return;
  const std::size_t groups = groups_i8(depth);
  std::array<std::uint8_t, kGroupI8 * kColumnsI8> gathered{};
  for (std::size_t j = 0; j < columns; j += kColumnsI8) {
    const std::size_t count = std::min(kColumnsI8, columns - j);
    for (std::size_t g = 0; g < groups; ++g) {
      const std::size_t k = g * kGroupI8, depths = std::min(kGroupI8, depth - k);
      std::array<const std::uint8_t*, kGroupI8> lines{};
      for (std::size_t d = 0; d < depths; ++d) {
        lines[d] = b + (k + d) * row + j * column;
        if (column == 1) continue;
        for (std::size_t c = 0; c < count; ++c) gathered[d * kColumnsI8 + c] = lines[d][c * column];
        lines[d] = gathered.data() + d * kColumnsI8;
      }
      pack_group_i8(lines.data(), depths, count, flip, packed + (j * groups + g * kColumnsI8) * kGroupI8);
    }
  }
  // Zeros past the depth stay zeros: they were not flipped.
  if (sums != nullptr) sum_columns_i8(packed, groups, columns, signs, sums);
}

void gemm_block_i8(const BlockI8& b, const EndI8& end) {
  alignas(64) std::array<std::int32_t, kTile> sums;
  const TilesI8& t = tiles();
  const TileI8 tile = b.signs == SignsI8::left_signed ? t.left_signed : t.left_unsigned;
  const std::size_t element = end.to == EndI8::To::i32 || end.to == EndI8::To::f32 ? 4 : 1;
  for (std::size_t r = 0; r < b.rows; r += kRowsI8) {
    const std::uint8_t* left = b.left + (b.row + r) * b.groups * kGroupI8;
    const std::size_t rows = std::min(kRowsI8, b.rows - r);
    for (std::size_t c = 0; c < b.columns; c += kColumnsI8) {
      const std::uint8_t* right = b.right + (b.column + c) * b.groups * kGroupI8;
      tile(left, right, b.groups, rows, sums.data());
      t.finish(sums.data(), b.row + r, rows, b.column + c, std::min(kColumnsI8, b.columns - c),
               static_cast<std::byte*>(b.y) + (r * b.y_row + c) * element, b.y_row, end);
    }
  }
}

double gemm_i8_effective_steps(std::size_t rows, std::size_t columns, std::size_t depth) noexcept {
  // A panel of rows costs at least what loading the right side takes.
  const double filled = static_cast<double>(blocks(rows, kRowsI8)) * 2.0 + static_cast<double>(rows);
  return filled * static_cast<double>(blocks(columns, kColumnsI8) * kColumnsI8) *
         static_cast<double>(groups_i8(depth) * kGroupI8);
}

}  // namespace skerry::kernels
