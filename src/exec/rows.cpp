#include "exec/rows.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <skerry/error.hpp>
#include <string>

namespace skerry::exec {
namespace {

// The tensor as [outer, extent, inner bytes] around an axis.
struct AxisView {
  std::uint64_t outer = 1, extent, inner;
  AxisView(const Tensor& tensor, int axis)
      : extent(static_cast<std::uint64_t>(tensor.shape()[axis])),
        inner(static_cast<std::uint64_t>(dtype_bits(tensor.dtype())) / 8) {
    for (int i = 0; i < axis; ++i) outer *= static_cast<std::uint64_t>(tensor.shape()[i]);
    for (int i = axis + 1; i < tensor.shape().rank(); ++i) inner *= static_cast<std::uint64_t>(tensor.shape()[i]);
  }
};

std::vector<std::int64_t> dims_of(const Tensor& tensor) {
  return {tensor.shape().dims().begin(), tensor.shape().dims().end()};
}

bool has_axis(const Tensor& tensor, int axis) {
  return axis > 0 && tensor.shape().rank() > axis && dtype_bits(tensor.dtype()) >= 8;
}

template <class T>
bool is_close(const Tensor& a, const Tensor& b, double tolerance) {
  const auto x = a.as<T>(), y = b.as<T>();
  double most = 0.0;
  for (const auto& values : {x, y})
    for (const T value : values)
      if (std::isfinite(value)) most = std::max(most, std::abs(static_cast<double>(value)));
  // No more than a part of the largest, else outputs that are all small would agree with any others; and no more than
  // a part of its own where that is large, else one that is huge would hide how the others differ.
  return std::equal(x.begin(), x.end(), y.begin(), [tolerance, most](T u, T v) {
    return u == v || std::abs(static_cast<double>(u) - static_cast<double>(v)) <=
                         tolerance * std::min(most, 1.0 + std::abs(static_cast<double>(u)));
  });
}

}  // namespace

std::int64_t common_rows(std::span<const Tensor> tensors) noexcept {
  if (tensors.empty() || tensors[0].shape().rank() == 0) return 0;
  const std::int64_t rows = tensors[0].shape()[0];
  const bool agree =
      std::ranges::all_of(tensors, [rows](const Tensor& t) { return t.shape().rank() > 0 && t.shape()[0] == rows; });
  return agree ? rows : 0;
}

std::uint64_t row_kind(std::span<const Tensor> tensors, int ragged_axis) {
  std::uint64_t kind = 0;
  const auto mix = [&kind](std::int64_t value) {  // a step of SplitMix64
    kind = (kind ^ static_cast<std::uint64_t>(value)) + 0x9e3779b97f4a7c15U;
    kind = (kind ^ (kind >> 30)) * 0xbf58476d1ce4e5b9U;
    kind = (kind ^ (kind >> 27)) * 0x94d049bb133111ebU;
    kind ^= kind >> 31;
  };
  for (const Tensor& tensor : tensors) {
    mix(static_cast<std::int64_t>(tensor.dtype()));
    mix(tensor.shape().rank());
    for (int axis = 1; axis < tensor.shape().rank(); ++axis)
      mix(axis == ragged_axis && has_axis(tensor, axis) ? -1 : tensor.shape()[axis]);
  }
  return kind;
}

Tensor stacked(std::span<const Tensor* const> parts, int ragged_axis) {
  const Tensor& first = *parts.front();
  std::vector<std::int64_t> dims = dims_of(first);
  dims[0] = 0;
  const bool is_ragged = has_axis(first, ragged_axis);
  const auto axis = static_cast<std::size_t>(ragged_axis);
  for (const Tensor* part : parts) {
    std::vector<std::int64_t> own = dims_of(*part);
    if (own.size() != dims.size() || part->dtype() != first.dtype())
      throw Error(ErrorCode::type_mismatch, "rows of different types cannot be stacked");
    dims[0] += own[0];
    if (is_ragged) dims[axis] = std::max(dims[axis], own[axis]);
    for (std::size_t i = 1; i < own.size(); ++i)
      if (own[i] != dims[i] && !(is_ragged && i == axis))
        throw Error(ErrorCode::type_mismatch,
                    "rows of shape " + part->shape().text() + " and " + first.shape().text() + " cannot be stacked");
  }
  Tensor out(first.dtype(), Shape(dims));
  std::byte* at = out.mutable_view().data();
  for (const Tensor* part : parts) {
    const std::byte* from = part->view().data();
    if (!is_ragged || part->shape()[ragged_axis] == dims[axis]) {
      std::memcpy(at, from, part->view().bytes());
      at += part->view().bytes();
      continue;
    }
    const AxisView view(*part, ragged_axis);
    for (std::uint64_t i = 0; i < view.outer; ++i) {
      std::memcpy(at, from + i * view.extent * view.inner, view.extent * view.inner);
      at += static_cast<std::uint64_t>(dims[axis]) * view.inner;
    }
  }
  return out;
}

Tensor rows_from(const Tensor& tensor, std::int64_t first, std::int64_t count) {
  std::vector<std::int64_t> dims = dims_of(tensor);
  const std::uint64_t row_bytes =
      tensor.view().bytes() / static_cast<std::uint64_t>(std::max<std::int64_t>(1, dims[0]));
  dims[0] = count;
  return {TensorView(tensor.dtype(), Shape(dims), tensor.view().data() + static_cast<std::uint64_t>(first) * row_bytes),
          tensor.owner()};
}

Tensor cut(const Tensor& tensor, int axis, std::int64_t extent) {
  if (tensor.shape()[axis] == extent) return tensor;
  std::vector<std::int64_t> dims = dims_of(tensor);
  dims[static_cast<std::size_t>(axis)] = extent;
  Tensor out(tensor.dtype(), Shape(dims));
  const AxisView view(tensor, axis);
  const std::uint64_t kept = static_cast<std::uint64_t>(extent) * view.inner;
  for (std::uint64_t i = 0; i < view.outer; ++i)
    std::memcpy(out.mutable_view().data() + i * kept, tensor.view().data() + i * view.extent * view.inner, kept);
  return out;
}

bool same_answer(const Tensor& a, const Tensor& b, double tolerance) {
  if (a.dtype() != b.dtype() || !(a.shape() == b.shape())) return false;
  if (a.dtype() == DType::f32) return is_close<float>(a, b, tolerance);
  if (a.dtype() == DType::f64) return is_close<double>(a, b, tolerance);
  return std::memcmp(a.view().data(), b.view().data(), a.view().bytes()) == 0;
}

}  // namespace skerry::exec
