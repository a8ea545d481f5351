/// \file
/// Products of stacks of matrices: y[b] = alpha * left[b] * right[b] + start, with broadcasting over the stack.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <skerry/tensor.hpp>
#include <span>

#include "base/memory.hpp"
#include "kernels/tensor/broadcast.hpp"
#include "kernels/tensor/gemm.hpp"

namespace skerry::kernels {

/// Extents and layouts. Element (i, k) of the left matrix stands at i * left_row + k * left_column from its begin; the
/// stack is looped over in elements of whole matrices.
struct ProductShape {
  std::size_t batch = 1, rows = 0, columns = 0, depth = 0;
  std::size_t left_row = 0, left_column = 1, right_row = 0, right_column = 1;
  BroadcastLoops<2> stack{Shape(), {Shape(), Shape()}};
  bool shared_right = true;  ///< one right matrix for the whole stack
  double alpha = 1.0;

  /// Which left and which right matrix product `index` of the stack takes.
  std::array<std::size_t, 2> matrices(std::size_t index) const;
  /// a [..., M, K] times b [..., K, N] as NumPy's matmul, vectors included. Precondition: they fit.
  static ProductShape matmul(const Shape& a, const Shape& b);
};

/// y = alpha * left * right, or y += it. Numbers; integers wrap, floats are summed in f64.
void product_ref(const ProductShape& shape, TensorView left, TensorView right, bool accumulate, MutableTensorView y);

/// y = factor * c, c broadcast to y's shape; same dtype, numbers.
void scaled_broadcast(TensorView c, double factor, MutableTensorView y);

/// A float32 product made ready. Immutable: run() may be called with any buffers.
class ProductF32 {
 public:
  /// right: the values when they are constant (all of them shared by the stack), else empty; they are packed here.
  ProductF32(const ProductShape& shape, std::span<const float> right);
  /// The values as pack_right() left them for tiles of `width` columns, shared by the stack. They are used in place
  /// where that is this machine's tile, and must outlive this; else they are packed anew.
  ProductF32(const ProductShape& shape, std::span<const float> packed, std::size_t width);
  ProductF32(const ProductF32&) = delete;
  ProductF32& operator=(const ProductF32&) = delete;

  std::uint64_t scratch_bytes() const noexcept { return scratch_bytes_; }
  std::uint64_t packed_bytes() const noexcept { return own_.bytes(); }
  /// start: zero, column_bias (bias has `columns` floats) or accumulate. end: of the whole result.
  void run(const float* left, const float* right, GemmStart start, const float* bias, float* y,
           std::span<std::byte> scratch, const BlockEnd& end = {}) const;

 private:
  void set_scratch();
  /// Rows of the left side lie dense, so that it needs no packing.
  bool dense_left() const noexcept { return shape_.left_column == 1 && shape_.alpha == 1.0; }
  void run_shared(const float* left, const float* right, GemmStart start, const float* bias, float* y, float* scratch,
                  const BlockEnd& end) const;
  void run_stack(const float* left, const float* right, GemmStart start, const float* bias, float* y,
                 std::span<std::byte> scratch, const BlockEnd& end) const;
  void run_one(std::size_t index, const float* left, const float* right, GemmStart start, const float* bias, float* y,
               float* scratch, const BlockEnd& end) const;

  ProductShape shape_;
  void pack(const MatrixView& right);
  base::Buffer own_;               ///< what was packed here
  std::span<const float> packed_;  ///< that, or the caller's
  std::size_t slots_ = 1;
  std::uint64_t scratch_bytes_ = 0;
};

}  // namespace skerry::kernels
