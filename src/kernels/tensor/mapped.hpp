/// \file
/// Elements moved through one table per axis: nearest neighbours, borders.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <skerry/tensor.hpp>
#include <span>
#include <vector>

namespace skerry::kernels {

/// y[i, j, …] = x[source(0, i), source(1, j), …]; where one of them is below 0, a fill value. Any dtype of whole bytes.
class MappedCopy {
 public:
  /// source(axis, i) lies inside x's extent of that axis, or is below 0. x and y have the same rank.
  MappedCopy(const Shape& x, const Shape& y, const std::function<std::int64_t(std::size_t, std::int64_t)>& source);
  /// What the tables take.
  std::uint64_t bytes() const noexcept;
  /// fill: one element of x's dtype. Shared by the threads.
  void run(TensorView x, const std::byte* fill, MutableTensorView y) const;

 private:
  /// A part of a row whose elements all come in one way: from `from` on, or from the table's entries there.
  struct Part {
    enum class Way : std::uint8_t { fill, run, twice, table } way;
    std::int64_t count, from;
  };
  void add_parts(std::span<const std::int64_t> from);
  void add(Part part);
  template <class T>
  void run_as(const std::byte* x, const std::byte* fill, std::byte* y) const;
  template <class T>
  void row(const T* x, T fill, T* y) const;

  std::vector<std::vector<std::int64_t>> outer_;  ///< offsets of each axis but the last
  std::size_t width_ = 1;                         ///< of a row
  std::vector<Part> parts_;                       ///< of a row
  std::vector<std::int64_t> table_;
};

}  // namespace skerry::kernels
