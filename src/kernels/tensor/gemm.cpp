// How a dense product is cut into blocks for threads and caches, and how its sides are packed.

#include "kernels/tensor/gemm.hpp"

#include <algorithm>
#include <array>

#include "base/threads.hpp"
#include "base/weighing.hpp"
#include "kernels/tensor/matvec.hpp"

namespace skerry::kernels {
namespace {

// Floating-point operations of one piece for a thread: a hundred microseconds.
constexpr double kPieceFlops = 8e6;
constexpr std::size_t kRowBlock = 128;
constexpr std::size_t kColumnPanels = 10;
// Elements that one piece of packing moves.
constexpr std::size_t kPackGrain = 16'384;

std::size_t panels(std::size_t extent, std::size_t width) {
  return (extent + width - 1) / width;
}

// Rows and columns of a block, and whether a thread takes rows (and all columns of them) rather than columns.
struct ProductBlock {
  std::size_t rows, columns;
  bool by_rows;
};

// As many as caches like, but no fewer blocks than there are threads with enough to do. Whole tiles in any case, so
// that no result depends on the number of threads.
ProductBlock block_of_product(std::size_t rows, std::size_t columns, std::size_t depth, const GemmTile& t) {
  const std::size_t row_tiles = panels(rows, t.rows), column_tiles = panels(columns, t.columns);
  // A thread's part must take longer than telling the thread of it: two microseconds. Of few rows the weights take as
  // long to come as four rows to be multiplied.
  constexpr std::size_t kRowsOfWeights = 4;
  constexpr double kLeastFlops = 4e5;
  const double flops = 2.0 * static_cast<double>(std::max(rows, kRowsOfWeights) * columns) * static_cast<double>(depth);
  const auto useful = std::min(static_cast<std::size_t>(base::thread_budget()),
                               static_cast<std::size_t>(std::min(flops / kLeastFlops, 1e6)));
  // Threads that take rows each read all of the weights, which a product with enough rows does not notice, and find the
  // left side where they wrote it: what another processor wrote comes a line at a time.
  constexpr std::size_t kRowsOfAThread = 32;
  ProductBlock block{std::min(kRowBlock, row_tiles * t.rows), 0, false};
  if (useful > 1 && rows >= useful * kRowsOfAThread && rows <= useful * kRowBlock) {
    block.rows = panels(row_tiles, useful) * t.rows;
    block.by_rows = true;
  }
  const double panel_flops = 2.0 * static_cast<double>(block.rows * t.columns) * static_cast<double>(depth + 1);
  block.columns =
      std::clamp<std::size_t>(static_cast<std::size_t>(kPieceFlops / panel_flops), 1, kColumnPanels) * t.columns;
  if (useful < 2 || panels(rows, block.rows) * panels(columns, block.columns) >= useful) return block;
  if (row_tiles < useful || column_tiles % useful == 0 || column_tiles >= 4 * useful) {
    block.columns = panels(column_tiles, useful) * t.columns;
  } else {
    block.rows = panels(row_tiles, useful) * t.rows;
  }
  return block;
}

// One panel of one piece of the depth: to[k * width + i] = factor * from[i * along + k * across].
void pack_panel(const float* from, std::size_t along, std::size_t across, std::size_t count, std::size_t depth,
                std::size_t width, float factor, float* to) {
  if (count < width) std::fill_n(to, width * depth, 0.0F);
  if (along == 1) {
    for (std::size_t k = 0; k < depth; ++k) {
      for (std::size_t i = 0; i < count; ++i) to[k * width + i] = factor * from[k * across + i];
    }
    return;
  }
  if (across == 1) return pack_rows(from, along, count, depth, width, factor, to);
  for (std::size_t i = 0; i < count; ++i) {
    for (std::size_t k = 0; k < depth; ++k) to[k * width + i] = factor * from[i * along + k * across];
  }
}

// Panels of `width`, the last one up to the next multiple of `unit`.
void pack(const float* data, std::size_t along, std::size_t across, std::size_t extent, std::size_t depth,
          std::size_t width, std::size_t unit, float factor, float* packed) {
  if (base::is_weighing) return;
  const std::size_t grain = std::max<std::size_t>(1, kPackGrain / std::max<std::size_t>(depth * width, 1));
  const std::size_t all = panels(extent, unit) * unit;
  base::parallel_for(0, panels(extent, width), grain, [&](std::size_t begin, std::size_t end) {
    for (std::size_t p = begin; p < end; ++p) {
      const std::size_t first = p * width;
      for (std::size_t k = 0; k < depth; k += kGemmDepth) {
        const std::size_t piece = std::min(kGemmDepth, depth - k);
        pack_panel(data + first * along + k * across, along, across, std::min(width, extent - first), piece,
                   std::min(width, all - first), factor, packed + k * all + first * piece);
      }
    }
  });
}

}  // namespace

std::size_t packed_left_floats(std::size_t rows, std::size_t depth) noexcept {
  const std::size_t width = gemm_tile().rows;
  return panels(rows, width) * width * depth;
}
std::size_t packed_right_width(std::size_t columns, std::size_t width) noexcept {
  const std::size_t lanes = std::max<std::size_t>(width / kTileVectors, 1);
  return panels(columns, lanes) * lanes;
}
std::size_t packed_right_floats(std::size_t depth, std::size_t columns) noexcept {
  return packed_right_width(columns, gemm_tile().columns) * depth;
}

std::uint64_t packed_right_floats(std::size_t depth, std::size_t columns, std::size_t width) noexcept {
  return std::uint64_t{packed_right_width(columns, width)} * depth;
}

void unpack_right(const float* packed, std::size_t depth, std::size_t columns, std::size_t width, float* b) {
  if (base::is_weighing) return;
  const std::size_t whole = packed_right_width(columns, width);
  for (std::size_t k = 0; k < depth; k += kGemmDepth) {
    const std::size_t piece = std::min(kGemmDepth, depth - k);
    for (std::size_t first = 0; first < columns; first += width) {
      const std::size_t row = std::min(width, whole - first);
      for (std::size_t i = 0; i < piece; ++i)
        std::copy_n(packed + k * whole + first * piece + i * row, std::min(width, columns - first),
                    b + (k + i) * columns + first);
    }
  }
}

void pack_left(const MatrixView& a, std::size_t rows, std::size_t depth, float factor, float* packed) {
  const std::size_t width = gemm_tile().rows;
  pack(a.data, a.row, a.column, rows, depth, width, width, factor, packed);
}
void pack_right(const MatrixView& b, std::size_t depth, std::size_t columns, float* packed) {
  const std::size_t width = gemm_tile().columns;
  pack(b.data, b.column, b.row, columns, depth, width, width / kTileVectors, 1.0F, packed);
}

void finish_block(float* c, std::size_t at, std::size_t rows, std::size_t columns, std::size_t row,
                  const BlockEnd& end) {
  if (end.residual != nullptr || end.bounds())
    finish_block(c, end.residual == nullptr ? nullptr : end.residual + at, rows, columns, row, end.low, end.high);
  if (!end.function) return;
  for (std::size_t r = 0; r < rows; ++r) unary_f32(*end.function, {}, {c + r * row, columns}, {c + r * row, columns});
}

void finish_tensor(float* y, std::size_t count, const BlockEnd& end) {
  base::parallel_for(0, count, std::size_t{32'768}, [&](std::size_t begin, std::size_t last) {
    finish_block(y + begin, begin, 1, last - begin, 0, end);
  });
}

void gemm_packed(std::size_t rows, std::size_t columns, std::size_t depth, const float* left, std::size_t left_row,
                 const float* right, GemmStart start, const float* bias, float* c, const BlockEnd& end) {
  if (rows == 0 || columns == 0) return;
  const GemmTile t = gemm_tile();
  if (rows == 1 && left_row != 0 && start != GemmStart::row_bias) {
    const float* first = start == GemmStart::accumulate ? c : bias;
    matvec({.x = left,
            .right = right,
            .depth = depth,
            .columns = columns,
            .width = packed_right_width(columns, t.columns),
            .start = start == GemmStart::zero ? nullptr : first,
            .residual = end.residual,
            .low = end.low,
            .high = end.high,
            .y = c});
    if (end.function) unary_f32(*end.function, {}, {c, columns}, {c, columns});
    return;
  }
  const std::size_t left_width = left_row == 0 ? panels(rows, t.rows) * t.rows : left_row;
  const std::size_t right_width = packed_right_width(columns, t.columns);
  const auto [tall, wide, by_rows] = block_of_product(rows, columns, depth, t);
  const std::size_t row_blocks = panels(rows, tall), column_blocks = panels(columns, wide);
  // Neighbouring pieces share their columns: the right block stays in the cache. Or their rows, as threads do.
  base::parallel_for(0, row_blocks * column_blocks, 1, [&](std::size_t begin, std::size_t last) {
    for (std::size_t piece = begin; piece < last; ++piece) {
      const std::size_t row = (by_rows ? piece / column_blocks : piece % row_blocks) * tall;
      const std::size_t column = (by_rows ? piece % column_blocks : piece / row_blocks) * wide;
      const std::size_t at = start == GemmStart::row_bias ? row : column, first = row * columns + column;
      const std::size_t high = std::min(tall, rows - row), across = std::min(wide, columns - column);
      gemm_block({row, high, column, across, depth, left, left_width, right, right_width, true, c + first, columns,
                  start, bias == nullptr ? nullptr : bias + at, left_row == 0});
      if (end.any()) finish_block(c + first, first, high, across, columns, end);
    }
  });
}

void gemm_unpacked(std::size_t rows, std::size_t columns, std::size_t depth, const float* left, const float* right,
                   std::size_t right_row, GemmStart start, const float* bias, float* c, float* edge) {
  const GemmTile t = gemm_tile();
  const std::size_t whole = columns / t.columns;
  const auto run = [&](std::size_t column, std::size_t count, const float* from, std::size_t from_width, bool packed) {
    gemm_block({0, rows, 0, count, depth, left, panels(rows, t.rows) * t.rows, from, from_width, packed, c + column,
                columns, start, bias == nullptr ? nullptr : bias + column});
  };
  // The last panel is packed: a vector must not be read past the end of the matrix.
  const std::size_t last = whole * t.columns;
  base::parallel_for(0, whole + 1, 8, [&](std::size_t begin, std::size_t end) {
    const std::size_t until = std::min(end, whole);
    if (until > begin) run(begin * t.columns, (until - begin) * t.columns, right + begin * t.columns, right_row, false);
    if (end <= whole || last == columns) return;
    pack_right({right + last, right_row, 1}, depth, columns - last, edge);
    run(last, columns - last, edge, packed_right_width(columns - last, t.columns), true);
  });
}

double gemm_effective_flops(std::size_t rows, std::size_t columns, std::size_t depth) noexcept {
  const GemmTile t = gemm_tile();
  // Rows' worth of a full tile for 0 to 7 rows left over: one row waits for its own additions, and costs nearly three.
  constexpr std::array<double, 8> kRest = {0, 2.7, 2.7, 5.4, 4, 6.7, 6.7, 9.4};
  const std::size_t rest = rows % t.rows;
  const double effective_rows = static_cast<double>(rows - rest) + kRest[rest];
  const auto effective_columns = static_cast<double>(packed_right_width(columns, t.columns));
  return 2.0 * effective_rows * effective_columns * static_cast<double>(depth);
}

}  // namespace skerry::kernels
