/// \file
/// Rows of several callers as one tensor, and back.
#pragma once

#include <cstdint>
#include <skerry/tensor.hpp>
#include <span>
#include <vector>

namespace skerry::exec {

/// The common first extent of the tensors, or 0: they have none in common.
std::int64_t common_rows(std::span<const Tensor> tensors) noexcept;

/// A number that is the same for inputs which may be stacked: of dtypes and extents but the first and the ragged one.
std::uint64_t row_kind(std::span<const Tensor> tensors, int ragged_axis);

/// The parts below each other; those that are shorter along ragged_axis are padded with zeros (0: none are). Errors:
/// type_mismatch for parts that do not fit.
Tensor stacked(std::span<const Tensor* const> parts, int ragged_axis = 0);

/// Rows [first, first + count); storage is shared.
Tensor rows_from(const Tensor& tensor, std::int64_t first, std::int64_t count);

/// The first `extent` of an axis. A copy unless it is all of it.
Tensor cut(const Tensor& tensor, int axis, std::int64_t extent);

/// Whether two answers differ by no more than another order of sums does: `tolerance`, relative above 1.
bool same_answer(const Tensor& a, const Tensor& b, double tolerance = 1e-4);

}  // namespace skerry::exec
