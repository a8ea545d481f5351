// Dense float32 products, one source for every instruction set, chosen at run time.
//
// A tile of c stays in registers while the depth runs (`#` is one vector):
//
//                      right panel   k0  # # #
//                                    k1  # # #
//     left panel  k0 k1 k2 ...       k2  # # #      one step: load a row of the right panel,
//       row 0      a  a  a              c # # #     broadcast one left element per row,
//       row 1      a  a  a                # # #     multiply and add
//       ...                               ...
//
// Both sides lie packed in the order in which the tile reads them.

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/tensor/gemm_simd.cpp"
// Vectors of unknown length cannot stand in arrays, which the tiles are made of; NEON serves those machines.
#ifndef HWY_DISABLED_TARGETS
#define HWY_DISABLED_TARGETS (HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128 | HWY_RVV)
#endif
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>
#include <array>

#include "base/threads.hpp"
#include "kernels/tensor/gemm.hpp"
#include "kernels/tensor/matvec.hpp"

HWY_BEFORE_NAMESPACE();
namespace skerry::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;
using D = hn::ScalableTag<float>;
using V = hn::Vec<D>;

// Three vectors of columns; with 32 registers eight rows fit, with 16 four.
constexpr std::size_t kVectors = kTileVectors;
#if HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_AVX3_DL || HWY_ARCH_ARM_A64
constexpr std::size_t kRows = 8;
#else
constexpr std::size_t kRows = 4;
#endif

GemmTile tile() {
  return {kRows, kVectors * hn::Lanes(D())};
}

// Weights are read once in a run, so they come from memory: while the tiles of one panel are computed, the next panel
// is asked for, a line for every few depths.
constexpr std::size_t kDepthsPerLine = 4, kLine = 64 / sizeof(float);

// Where the left side's elements stand: row r of depth k at data[r * row + k * column]; packed, a row is one apart.
struct Left {
  const float* data;
  std::size_t row;
  bool packed;
};

// Loops over R and N are unrolled in full, so that g++ keeps `sum` in registers.
template <std::size_t R, std::size_t N>
HWY_INLINE void step(const float* (&a)[R], std::size_t at, const float* HWY_RESTRICT b, V (&sum)[R][N]) {
  const D d;
  V right[N];
  _Pragma("GCC unroll 16") for (std::size_t n = 0; n < N; ++n) right[n] = hn::LoadU(d, b + n * hn::Lanes(d));
  _Pragma("GCC unroll 16") for (std::size_t r = 0; r < R; ++r) {
    const V left = hn::Set(d, a[r][at]);
    _Pragma("GCC unroll 16") for (std::size_t n = 0; n < N; ++n) sum[r][n] = hn::MulAdd(left, right[n], sum[r][n]);
  }
}

// A tile of few rows would wait for its own additions: depths are shared out among S sums, which are joined in order.
template <std::size_t R, std::size_t N, std::size_t S>
HWY_INLINE void multiply_at(const float* (&a)[R], std::size_t column, const float* HWY_RESTRICT b, std::size_t b_row,
                            std::size_t depth, const float* ahead, V (&sum)[R][N]) {
  const D d;
  std::size_t k = 0;
  if constexpr (R == kRows && N == kVectors) {
    for (; k + kDepthsPerLine <= depth; k += kDepthsPerLine) {
      __builtin_prefetch(ahead + k / kDepthsPerLine * kLine, 0, 2);
      _Pragma("GCC unroll 4") for (std::size_t s = 0; s < kDepthsPerLine; ++s)
          step<R, N>(a, (k + s) * column, b + (k + s) * b_row, sum);
    }
  }
  if constexpr (S > 1) {
    V other[S - 1][R][N];
    _Pragma("GCC unroll 16") for (std::size_t s = 0; s + 1 < S; ++s) {
      _Pragma("GCC unroll 16") for (std::size_t r = 0; r < R; ++r) {
        _Pragma("GCC unroll 16") for (std::size_t n = 0; n < N; ++n) other[s][r][n] = hn::Zero(d);
      }
    }
    for (; k + S <= depth; k += S) {
      step<R, N>(a, k * column, b + k * b_row, sum);
      _Pragma("GCC unroll 16") for (std::size_t s = 0; s + 1 < S; ++s)
          step<R, N>(a, (k + s + 1) * column, b + (k + s + 1) * b_row, other[s]);
    }
    _Pragma("GCC unroll 16") for (std::size_t s = 0; s + 1 < S; ++s) {
      _Pragma("GCC unroll 16") for (std::size_t r = 0; r < R; ++r) {
        _Pragma("GCC unroll 16") for (std::size_t n = 0; n < N; ++n) sum[r][n] = hn::Add(sum[r][n], other[s][r][n]);
      }
    }
  }
  for (; k < depth; ++k) step<R, N>(a, k * column, b + k * b_row, sum);
}

template <std::size_t R, std::size_t N>
HWY_INLINE void multiply(const Left& left, const float* b, std::size_t b_row, std::size_t depth, const float* ahead,
                         V (&sum)[R][N]) {
  constexpr std::size_t kSums = kRows == 8 ? (R * N <= 3 ? 4 : R * N <= 6 ? 2 : 1) : 1;
  const float* a[R];
  _Pragma("GCC unroll 16") for (std::size_t r = 0; r < R; ++r) a[r] = left.data + (left.packed ? r : r * left.row);
  if (left.packed) return multiply_at<R, N, kSums>(a, kRows, b, b_row, depth, ahead, sum);
  multiply_at<R, N, kSums>(a, 1, b, b_row, depth, ahead, sum);
}

// One tile of R rows and N vectors, of which `columns` results are wanted.
template <std::size_t R, std::size_t N>
void tile_of(const Left& a, const float* b, std::size_t b_row, std::size_t depth, float* c, std::size_t c_row,
             std::size_t columns, GemmStart start, const float* bias, const float* ahead) {
  const D d;
  const std::size_t lanes = hn::Lanes(d);
  const bool whole = columns == N * lanes;
  V sum[R][N];
  HWY_ALIGN float edge[hn::MaxLanes(d) * N] = {};
  if (start == GemmStart::column_bias) {
    // The last columns of a bias may end before a vector does.
    for (std::size_t n = 0; n < N * lanes; ++n) edge[n] = n < columns ? bias[n] : 0.0F;
  }
  _Pragma("GCC unroll 16") for (std::size_t r = 0; r < R; ++r) {
    if (start == GemmStart::accumulate && !whole) {
      for (std::size_t n = 0; n < columns; ++n) edge[n] = c[r * c_row + n];
    }
    _Pragma("GCC unroll 16") for (std::size_t n = 0; n < N; ++n) {
      if (start == GemmStart::zero) {
        sum[r][n] = hn::Zero(d);
      } else if (start == GemmStart::row_bias) {
        sum[r][n] = hn::Set(d, bias[r]);
      } else if (start == GemmStart::column_bias || !whole) {
        sum[r][n] = hn::LoadU(d, edge + n * lanes);
      } else {
        sum[r][n] = hn::LoadU(d, c + r * c_row + n * lanes);
      }
    }
  }
  multiply<R, N>(a, b, b_row, depth, ahead, sum);
  _Pragma("GCC unroll 16") for (std::size_t r = 0; r < R; ++r) {
    float* to = whole ? c + r * c_row : edge;
    _Pragma("GCC unroll 16") for (std::size_t n = 0; n < N; ++n) hn::StoreU(sum[r][n], d, to + n * lanes);
    if (!whole) std::copy_n(edge, columns, c + r * c_row);
  }
}

template <std::size_t R>
void tile_rows(const Left& a, const float* b, std::size_t b_row, std::size_t depth, float* c, std::size_t c_row,
               std::size_t columns, GemmStart start, const float* bias, const float* ahead) {
  const std::size_t lanes = hn::Lanes(D());
  if (columns > 2 * lanes) return tile_of<R, 3>(a, b, b_row, depth, c, c_row, columns, start, bias, ahead);
  if (columns > lanes) return tile_of<R, 2>(a, b, b_row, depth, c, c_row, columns, start, bias, ahead);
  tile_of<R, 1>(a, b, b_row, depth, c, c_row, columns, start, bias, ahead);
}

// Up to kRows rows: the largest tile that fits, then the next.
void tile_any(const Left& a, const float* b, std::size_t b_row, std::size_t depth, float* c, std::size_t c_row,
              std::size_t rows, std::size_t columns, GemmStart start, const float* bias, const float* ahead) {
  std::size_t r = 0;
  const auto tile = [&](auto size) {
    if (rows - r < size) return;
    const float* own_bias = start == GemmStart::row_bias ? bias + r : bias;
    tile_rows<size>({a.data + (a.packed ? r : r * a.row), a.row, a.packed}, b, b_row, depth, c + r * c_row, c_row,
                    columns, start, own_bias, ahead);
    r += size;
  };
  if constexpr (kRows == 8) tile(std::integral_constant<std::size_t, 8>());
  tile(std::integral_constant<std::size_t, 4>());
  tile(std::integral_constant<std::size_t, 2>());
  tile(std::integral_constant<std::size_t, 1>());
}

// What is multiplied after the panel at `column` of the piece [k, k + depth): the next panel of the piece, or the first
// one of the next piece, or of the block that will probably follow. Only memory to look ahead at.
struct Ahead {
  const float* panel;
  std::size_t depth;
};
Ahead next_panel(const GemmBlock& block, std::size_t k, std::size_t depth, std::size_t column, std::size_t width) {
  const std::size_t right = block.column + column;
  if (!block.right_packed) return {block.right, 0};
  if (column + width < block.columns) return {block.right + k * block.right_width + (right + width) * depth, depth};
  const std::size_t after = k + depth;
  if (after < block.depth) {
    const std::size_t piece = std::min(kGemmDepth, block.depth - after);
    return {block.right + after * block.right_width + block.column * piece, piece};
  }
  const std::size_t piece = std::min(kGemmDepth, block.depth);
  if (right + width >= block.right_width) return {block.right, 0};
  return {block.right + (right + width) * piece, piece};
}

void block_of(const GemmBlock& block) {
  const std::size_t width = kVectors * hn::Lanes(D());
  std::size_t k = 0;
  do {
    const std::size_t depth = std::min(kGemmDepth, block.depth - k);
    const GemmStart start = k == 0 ? block.start : GemmStart::accumulate;
    for (std::size_t column = 0; column < block.columns; column += width) {
      const std::size_t right = block.column + column, columns = std::min(width, block.columns - column);
      const std::size_t right_row = block.right_packed ? std::min(width, block.right_width - right) : block.right_width;
      const float* b = block.right + k * block.right_width + right * (block.right_packed ? depth : 1);
      const Ahead ahead = next_panel(block, k, depth, column, width);
      std::size_t asked = 0;
      for (std::size_t row = 0; row < block.rows; row += kRows) {
        const Left a = {block.left_packed ? block.left + k * block.left_width + (block.row + row) * depth
                                          : block.left + (block.row + row) * block.left_width + k,
                        block.left_width, block.left_packed};
        const std::size_t at = block.start == GemmStart::row_bias ? row : column;
        const bool more = asked < width * ahead.depth;
        tile_any(a, b, right_row, depth, block.c + row * block.c_row + column, block.c_row,
                 std::min(kRows, block.rows - row), columns, start, block.bias == nullptr ? nullptr : block.bias + at,
                 more ? ahead.panel + asked : b);
        asked += depth / kDepthsPerLine * kLine;
      }
    }
    k += depth;
  } while (k < block.depth);
}

// to[k * width + i] = factor * from[i * along + k] for `count` rows i of `depth` elements: four rows and four depths at
// a time are turned in registers, so that memory is read and written in runs.
void pack_rows(const float* from, std::size_t along, std::size_t count, std::size_t depth, std::size_t width,
               float factor, float* to) {
  std::size_t i = 0;
#if HWY_TARGET != HWY_SCALAR
  const hn::FixedTag<float, 4> d;
  const auto scale = hn::Set(d, factor);
  for (; i + 4 <= count; i += 4) {
    const float* row = from + i * along;
    std::size_t k = 0;
    for (; k + 4 <= depth; k += 4) {
      const auto r0 = hn::LoadU(d, row + k), r1 = hn::LoadU(d, row + along + k);
      const auto r2 = hn::LoadU(d, row + 2 * along + k), r3 = hn::LoadU(d, row + 3 * along + k);
      const auto even = hn::InterleaveLower(d, r0, r2), odd = hn::InterleaveLower(d, r1, r3);
      const auto even_high = hn::InterleaveUpper(d, r0, r2), odd_high = hn::InterleaveUpper(d, r1, r3);
      float* out = to + k * width + i;
      hn::StoreU(hn::Mul(scale, hn::InterleaveLower(d, even, odd)), d, out);
      hn::StoreU(hn::Mul(scale, hn::InterleaveUpper(d, even, odd)), d, out + width);
      hn::StoreU(hn::Mul(scale, hn::InterleaveLower(d, even_high, odd_high)), d, out + 2 * width);
      hn::StoreU(hn::Mul(scale, hn::InterleaveUpper(d, even_high, odd_high)), d, out + 3 * width);
    }
    for (; k < depth; ++k) {
      for (std::size_t r = 0; r < 4; ++r) to[k * width + i + r] = factor * row[r * along + k];
    }
  }
#endif
  for (; i < count; ++i) {
    for (std::size_t k = 0; k < depth; ++k) to[k * width + i] = factor * from[i * along + k];
  }
}

// Plain loops, which the compiler makes vectors of.
void finish(float* HWY_RESTRICT c, const float* HWY_RESTRICT residual, std::size_t rows, std::size_t columns,
            std::size_t row, float low, float high) {
  for (std::size_t r = 0; r < rows; ++r) {
    float* to = c + r * row;
    if (residual != nullptr) {
      const float* from = residual + r * row;
      for (std::size_t i = 0; i < columns; ++i) to[i] += from[i];
    }
    for (std::size_t i = 0; i < columns; ++i) {
      const float raised = to[i] < low ? low : to[i];
      to[i] = raised > high ? high : raised;
    }
  }
}

}  // namespace skerry::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace skerry::kernels {
HWY_EXPORT(tile);
HWY_EXPORT(block_of);
HWY_EXPORT(finish);
HWY_EXPORT(pack_rows);

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

// Rows and columns of a block: as many as caches like, but no fewer blocks than there are threads with enough to do.
// Whole tiles in any case, so that no result depends on the number of threads.
GemmTile block_of_product(std::size_t rows, std::size_t columns, std::size_t depth, const GemmTile& t) {
  const std::size_t row_tiles = panels(rows, t.rows), column_tiles = panels(columns, t.columns);
  GemmTile block{std::min(kRowBlock, row_tiles * t.rows), 0};
  const double panel_flops = 2.0 * static_cast<double>(block.rows * t.columns) * static_cast<double>(depth + 1);
  block.columns =
      std::clamp<std::size_t>(static_cast<std::size_t>(kPieceFlops / panel_flops), 1, kColumnPanels) * t.columns;
  // A thread's part must take longer than telling the thread of it: two microseconds. Of few rows the weights take as
  // long to come as four rows to be multiplied.
  constexpr std::size_t kRowsOfWeights = 4;
  constexpr double kLeastFlops = 4e5;
  const double flops = 2.0 * static_cast<double>(std::max(rows, kRowsOfWeights) * columns) * static_cast<double>(depth);
  const auto useful = std::min(static_cast<std::size_t>(base::thread_budget()),
                               static_cast<std::size_t>(std::min(flops / kLeastFlops, 1e6)));
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
  if (across == 1) return HWY_DYNAMIC_DISPATCH(pack_rows)(from, along, count, depth, width, factor, to);
  for (std::size_t i = 0; i < count; ++i) {
    for (std::size_t k = 0; k < depth; ++k) to[k * width + i] = factor * from[i * along + k * across];
  }
}

// Panels of `width`, the last one up to the next multiple of `unit`.
void pack(const float* data, std::size_t along, std::size_t across, std::size_t extent, std::size_t depth,
          std::size_t width, std::size_t unit, float factor, float* packed) {
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

GemmTile gemm_tile() noexcept {
  return HWY_DYNAMIC_DISPATCH(tile)();
}

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

void finish_block(float* c, const float* residual, std::size_t rows, std::size_t columns, std::size_t row, float low,
                  float high) {
  HWY_DYNAMIC_DISPATCH(finish)(c, residual, rows, columns, row, low, high);
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

void gemm_block(const GemmBlock& block) {
  HWY_DYNAMIC_DISPATCH(block_of)(block);
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
  const auto [tall, wide] = block_of_product(rows, columns, depth, t);
  const std::size_t row_blocks = panels(rows, tall), column_blocks = panels(columns, wide);
  // Neighbouring pieces share their columns: the right block stays in the cache.
  base::parallel_for(0, row_blocks * column_blocks, 1, [&](std::size_t begin, std::size_t last) {
    for (std::size_t piece = begin; piece < last; ++piece) {
      const std::size_t row = piece % row_blocks * tall, column = piece / row_blocks * wide;
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
#endif
