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

#include "kernels/tensor/gemm.hpp"

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
// is asked for, some lines for every few depths: all of it in six tiles.
constexpr std::size_t kDepthsPerAsking = 4, kLinesAsked = 2, kLine = 64 / sizeof(float);

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
    for (; k + kDepthsPerAsking <= depth; k += kDepthsPerAsking) {
      const float* const asked = ahead + k / kDepthsPerAsking * kLinesAsked * kLine;
      _Pragma("GCC unroll 4") for (std::size_t line = 0; line < kLinesAsked; ++line)
          __builtin_prefetch(asked + line * kLine, 0, 2);
      _Pragma("GCC unroll 4") for (std::size_t s = 0; s < kDepthsPerAsking; ++s)
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
        asked += depth / kDepthsPerAsking * kLinesAsked * kLine;
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

GemmTile gemm_tile() noexcept {
  return HWY_DYNAMIC_DISPATCH(tile)();
}

void gemm_block(const GemmBlock& block) {
  HWY_DYNAMIC_DISPATCH(block_of)(block);
}

void finish_block(float* c, const float* residual, std::size_t rows, std::size_t columns, std::size_t row, float low,
                  float high) {
  HWY_DYNAMIC_DISPATCH(finish)(c, residual, rows, columns, row, low, high);
}

void pack_rows(const float* from, std::size_t along, std::size_t count, std::size_t depth, std::size_t width,
               float factor, float* to) {
  HWY_DYNAMIC_DISPATCH(pack_rows)(from, along, count, depth, width, factor, to);
}

}  // namespace skerry::kernels
#endif
