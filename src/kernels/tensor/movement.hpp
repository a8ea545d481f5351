/// \file
/// Moving elements without looking at them: transpose, slice, concat, split, expand, tile, gather. Any dtype of
/// whole bytes.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <skerry/tensor.hpp>
#include <span>

namespace skerry::kernels {

/// A loop nest that copies elements of `width` bytes; strides in elements, outermost axis first, at most 16 axes.
/// out must not overlap in.
void copy_strided(const std::byte* in, std::span<const std::int64_t> in_strides, std::byte* out,
                  std::span<const std::int64_t> out_strides, std::span<const std::int64_t> dims, std::size_t width);

/// y[i_0, …] = x[i_perm^-1…]: axis k of y is axis perm[k] of x.
void transpose(TensorView x, std::span<const std::int64_t> perm, MutableTensorView y);
/// y[i] = x[starts + i * steps], one start and step per axis (negative steps walk backwards).
void slice(TensorView x, std::span<const std::int64_t> starts, std::span<const std::int64_t> steps,
           MutableTensorView y);
/// y is x under NumPy broadcasting.
void expand(TensorView x, MutableTensorView y);
/// y is x repeated along each axis as often as y's extents say.
void tile(TensorView x, MutableTensorView y);
/// Copies x to y at position `at` of `axis` (concat), or the part of x at that position to y (split).
void place(TensorView x, int axis, std::int64_t at, MutableTensorView y);
void extract(TensorView x, int axis, std::int64_t at, MutableTensorView y);

/// y[a.., i.., b..] = x[a.., indices[i..], b..] along `axis`; indices i32 or i64, negative ones count from the end.
/// Errors: out_of_range.
void gather(TensorView x, int axis, TensorView indices, MutableTensorView y);

/// Where the elements stand that indices (i32 or i64) name by their place along one axis of x, row by row of the
/// indices, no axis of which but that one is longer than x's.
class ElementPlaces {
 public:
  /// Most that are asked for at a time.
  static constexpr std::int64_t kMost = 256;
  /// axis: of x. indices must outlive this; at least one element.
  ElementPlaces(const Shape& x, int axis, TensorView indices);
  std::int64_t rows() const noexcept { return shape_.elements() / width_; }
  std::int64_t width() const noexcept { return width_; }
  /// places[j - begin] = offset in x of what index `begin` <= j < `end` of a row names. Errors: out_of_range.
  void of(std::int64_t row, std::int64_t begin, std::int64_t end, std::int64_t* places) const;

 private:
  template <class T>
  void of_as(std::int64_t row, std::int64_t begin, std::int64_t end, std::int64_t* places) const;

  TensorView indices_;
  Shape shape_;
  std::array<std::int64_t, Shape::kMaxRank> steps_{};  ///< of x
  std::size_t axis_, last_;
  std::int64_t width_, extent_;
};

/// y[i] = x[i with its place along `axis` replaced by indices[i]]; indices (i32 or i64) have y's shape, and no axis of
/// them but that one is longer than x's. Errors: out_of_range.
void gather_elements(TensorView x, int axis, TensorView indices, MutableTensorView y);

}  // namespace skerry::kernels
