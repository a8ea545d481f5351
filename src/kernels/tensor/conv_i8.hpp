/// \file
/// Convolutions and products of quantised tensors: 8-bit elements with zero points, summed exactly in 32 bits.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/memory.hpp"
#include "kernels/tensor/conv.hpp"
#include "kernels/tensor/gemm_i8.hpp"
#include "kernels/tensor/slide.hpp"

namespace skerry::kernels {

/// 8-bit elements, u8 or i8.
struct ElementsI8 {
  const std::uint8_t* data = nullptr;
  bool is_signed = false;
  /// What turns them into the other sign's elements.
  std::uint8_t flip_to(bool wanted_signed) const noexcept { return is_signed == wanted_signed ? 0 : 0x80; }
  /// By how much that moves them.
  std::int32_t shift_to(bool wanted_signed) const noexcept {
    return is_signed == wanted_signed ? 0 : (wanted_signed ? -128 : 128);
  }
};

/// s[n, o, p] = bias[o] + sum of (w[o, i, k] - w_zero[o]) (x[n, i, p + k] - x_zero), padding counting as x_zero; then
/// what EndI8 says, its rows being outputs. Weights are packed once. Immutable.
class ConvI8 {
 public:
  /// w_zero: one number for all outputs or one for each.
  ConvI8(const ConvShape& shape, ElementsI8 weights, std::span<const std::int32_t> w_zero);
  std::uint64_t scratch_bytes() const noexcept { return scratch_bytes_; }
  std::uint64_t packed_bytes() const noexcept { return packed_.bytes(); }
  /// bias may be null. end: without its row and column vectors but row_scale (one per output).
  void run(ElementsI8 x, std::int32_t x_zero, const std::int32_t* bias, EndI8 end, void* y,
           std::span<std::byte> scratch) const;

 private:
  struct Run;
  struct Piece;
  void run_piece(const Run& run, const Piece& piece, std::byte* slot) const;
  void pack(const Run& run, const Piece& piece, std::uint8_t* patches, std::uint8_t* lines) const;

  ConvShape shape_;
  std::vector<PatchTap> taps_;
  std::vector<std::int32_t> row_sums_, w_zero_;  ///< after the flip; zero points empty where all are 0
  std::size_t group_bytes_ = 0, columns_ = 0, column_blocks_ = 0, rows_ = 0, row_blocks_ = 0, slots_ = 1;
  std::uint64_t slot_bytes_ = 0, scratch_bytes_ = 0;
  base::Buffer packed_;
};

/// The same with one input channel per group, by way of float32, in which sums of so few products are exact.
class DepthwiseI8 {
 public:
  /// Products that may be summed: each is at most 255 * 255, and float32 counts to 2^24.
  static constexpr std::int64_t kMostTaps = 256;
  DepthwiseI8(const ConvShape& shape, ElementsI8 weights, std::span<const std::int32_t> w_zero);
  std::uint64_t scratch_bytes() const noexcept { return slots_ * slot_bytes_; }
  std::uint64_t packed_bytes() const noexcept { return weights_.size() * sizeof(float); }
  void run(ElementsI8 x, std::int32_t x_zero, const std::int32_t* bias, const EndI8& end, void* y,
           std::span<std::byte> scratch) const;

 private:
  ConvShape shape_;
  SlideF32 slide_;
  std::vector<float> weights_;
  std::size_t slots_ = 1;
  std::uint64_t slot_bytes_ = 0;
};

/// s[i, j] = bias[j] + sum of (a[i, k] - a_zero) (b[k, j] - b_zero[j]), then what EndI8 says. One matrix.
class ProductI8 {
 public:
  struct Shape {
    std::size_t rows = 0, columns = 0, depth = 0;
    std::size_t right_row = 0, right_column = 1;  ///< element (k, j) of b at k * right_row + j * right_column
  };
  /// right: elements when they are constant, else data is null and they are packed at each run.
  ProductI8(const Shape& shape, ElementsI8 right);
  std::uint64_t scratch_bytes() const noexcept { return scratch_bytes_; }
  std::uint64_t packed_bytes() const noexcept { return packed_.bytes(); }
  /// b_zero: one number or one per column; bias may be null. end: without its vectors but column_scale and column_bias.
  void run(ElementsI8 a, std::int32_t a_zero, ElementsI8 b, std::span<const std::int32_t> b_zero,
           const std::int32_t* bias, EndI8 end, void* y, std::span<std::byte> scratch) const;

 private:
  Shape shape_;
  std::vector<std::int32_t> column_sums_;
  std::uint64_t left_bytes_ = 0, right_bytes_ = 0, scratch_bytes_ = 0;
  base::Buffer packed_;
};

}  // namespace skerry::kernels
