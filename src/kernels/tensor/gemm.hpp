/// \file
/// Dense float32 products over packed panels, the engine below MatMul, Gemm and Conv.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>

#include "kernels/tensor/unary.hpp"

namespace skerry::kernels {

/// Vectors of columns in a register tile.
inline constexpr std::size_t kTileVectors = 3;
/// The register tile of this machine: `rows` x `columns` results are kept in vectors while the depth runs.
struct GemmTile {
  std::size_t rows, columns;
};
GemmTile gemm_tile() noexcept;

/// Longest piece of the depth that is packed and multiplied at a time, so that a panel stays in the caches.
inline constexpr std::size_t kGemmDepth = 256;

/// Where the elements of a matrix stand: element (i, j) at data[i * row + j * column].
struct MatrixView {
  const float* data = nullptr;
  std::size_t row = 0, column = 1;
};

/// How many pieces of so many floating-point operations a thread takes at a time: less work than that is done before
/// another thread has fetched what it reads.
inline std::size_t product_grain(double piece_flops) noexcept {
  constexpr double kWorthFetching = 4e5;
  return piece_flops < kWorthFetching ? static_cast<std::size_t>(kWorthFetching / std::max(piece_flops, 1.0)) : 1;
}

/// A packed side is cut into pieces of kGemmDepth depths (the last one shorter), each of them into panels of
/// tile().rows rows or tile().columns columns, each panel [depth][width] with zeros past the end: what a product reads
/// lies in the order in which it is read. Piece k begins at float k * (width of all panels), panel p of a piece of d
/// depths at p * width * d. The last panel of a right side is as many vectors wide as it has to be.
std::size_t packed_left_floats(std::size_t rows, std::size_t depth) noexcept;
std::size_t packed_right_floats(std::size_t depth, std::size_t columns) noexcept;
/// Width of all panels of a right side that was packed for tiles of `width` columns.
std::size_t packed_right_width(std::size_t columns, std::size_t width) noexcept;
/// Packs factor * a. Parallel inside.
void pack_left(const MatrixView& a, std::size_t rows, std::size_t depth, float factor, float* packed);
void pack_right(const MatrixView& b, std::size_t depth, std::size_t columns, float* packed);
/// to[k * width + i] = factor * from[i * along + k] for i < count, k < depth: what packing is made of. On the calling
/// thread.
void pack_rows(const float* from, std::size_t along, std::size_t count, std::size_t depth, std::size_t width,
               float factor, float* to);
/// Floats of a right side that was packed for tiles of `width` columns, here or on another machine.
std::uint64_t packed_right_floats(std::size_t depth, std::size_t columns, std::size_t width) noexcept;
/// b [depth, columns], dense, of such a side.
void unpack_right(const float* packed, std::size_t depth, std::size_t columns, std::size_t width, float* b);

/// What a product is added to.
enum class GemmStart : std::uint8_t { zero, row_bias, column_bias, accumulate };

/// One block of a product: c [rows, columns] at row stride c_row = start + left * right. The block begins at row `row`
/// of the packed left matrix and column `column` of the right one, multiples of the tile's.
struct GemmBlock {
  std::size_t row, rows, column, columns, depth;
  const float* left;
  std::size_t left_width;  ///< of all panels of the left matrix
  const float* right;
  std::size_t right_width;
  bool right_packed;  ///< else element (k, j) of the right matrix stands at k * right_width + j
  float* c;           ///< of the block, as is bias
  std::size_t c_row;
  GemmStart start;
  const float* bias;
  bool left_packed = true;  ///< else element (i, k) of the left matrix stands at i * left_width + k
};
/// On the calling thread. depth may be 0. Each element is start + the products in the order of the depth.
void gemm_block(const GemmBlock& block);

/// What becomes of a finished block while it is in the cache: a tensor of the result's shape is added (where there is
/// one), then it is kept within bounds, where not-a-number stays, then a function is taken of each element.
struct BlockEnd {
  const float* residual = nullptr;  ///< the whole tensor
  float low, high;                  ///< infinite: unbounded
  std::optional<Unary> function;    ///< one that unary_f32 takes without parameters
  bool bounds() const noexcept { return low > -kUnbounded || high < kUnbounded; }
  bool any() const noexcept { return residual != nullptr || bounds() || function; }
  static constexpr float kUnbounded = std::numeric_limits<float>::infinity();
  BlockEnd() noexcept : low(-kUnbounded), high(kUnbounded) {}
};
/// c [rows, columns] at row stride `row`, and the residual's same block, which may be null.
void finish_block(float* c, const float* residual, std::size_t rows, std::size_t columns, std::size_t row, float low,
                  float high);
/// All of `end` on a block [rows, columns] at row stride `row` that begins at element `at` of the whole tensor.
void finish_block(float* c, std::size_t at, std::size_t rows, std::size_t columns, std::size_t row,
                  const BlockEnd& end);
/// A whole tensor, shared by the threads.
void finish_tensor(float* y, std::size_t count, const BlockEnd& end);

/// c [rows, columns] (dense) = end(start + left * right) with a packed right side, in blocks shared by the threads. The
/// result does not depend on their number. left_row: distance of the left side's rows, 0 where it is packed. bias:
/// `rows` or `columns` floats as `start` says.
void gemm_packed(std::size_t rows, std::size_t columns, std::size_t depth, const float* left, std::size_t left_row,
                 const float* right, GemmStart start, const float* bias, float* c, const BlockEnd& end = {});

/// The same with a right side that is not packed, for left sides of so few rows that packing would cost more than the
/// product: column j of depth k stands at right[k * right_row + j]. edge: room for packed_right_floats(depth, 1).
void gemm_unpacked(std::size_t rows, std::size_t columns, std::size_t depth, const float* left, const float* right,
                   std::size_t right_row, GemmStart start, const float* bias, float* c, float* edge);

/// How many full-tile multiply-adds' worth of time a product of these extents takes: narrow left sides cannot keep the
/// vector units busy.
double gemm_effective_flops(std::size_t rows, std::size_t columns, std::size_t depth) noexcept;

}  // namespace skerry::kernels
