/// \file
/// Products as a program without a model wants them: a batch normalised, multiplied and activated in one go, and
/// products in blocks of a size that one chooses.
#pragma once

#include <cstddef>
#include <functional>
#include <skerry/tensor.hpp>
#include <span>
#include <string_view>
#include <vector>

namespace skerry {

/// y = f((x - mean) / deviation * w + b): each column of x [rows, features] is freed of its mean and divided by its
/// standard deviation (over all rows, divided by their number) in f64; a column whose elements are all equal gives
/// zeros, not a NaN. w [features, outputs]; b [outputs] or null; f: `none`, `relu`, `sigmoid`, `tanh`, `gelu`. f32.
/// Rows go through the cache block by block, so the normalised batch never exists as a whole; the result does not
/// depend on the number of threads. Errors: type_mismatch, invalid_argument for another f.
Tensor process_batch_optimized(const Tensor& x, const Tensor& w, const Tensor* b = nullptr,
                               std::string_view activation = "relu");

/// Products that go block by block, so that what is multiplied stays in the cache.
class CacheOptimizedProcessor {
 public:
  static constexpr std::size_t kMostBlock = 256;

  /// block_size: rows, columns and depth of a block. Errors: invalid_argument outside 1 to kMostBlock.
  explicit CacheOptimizedProcessor(std::size_t block_size = 64);
  std::size_t block_size() const noexcept { return block_size_; }

  /// a [m, k] times b [k, n], f32, any extents. Sums go along the depth in blocks. Errors: type_mismatch.
  Tensor blocked_matrix_multiplication(const Tensor& a, const Tensor& b) const;
  /// One run's cost with a block size; less is better.
  using Measure = std::function<double(const CacheOptimizedProcessor&)>;
  /// The block size that multiplies such matrices fastest here, of those given: the least of five measures each; it is
  /// used from now on. measure: empty for the time of the product. Errors: invalid_argument for no sizes and those of
  /// the constructor; as the product.
  std::size_t tune(const Tensor& a, const Tensor& b, std::span<const std::size_t> sizes = kSizes,
                   const Measure& measure = {});
  /// The elements of a matrix column by column: [m, n] becomes [n, m] with rows that were columns, in tiles.
  Tensor cache_friendly_data_layout(const Tensor& data) const;

 private:
  static constexpr std::size_t kSizes[] = {16, 32, 64, 128, 192, 256};
  std::size_t block_size_;
};

}  // namespace skerry
