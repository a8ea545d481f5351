#include <algorithm>
#include <cstring>
#include <skerry/error.hpp>
#include <skerry/tensor.hpp>

#include "base/account.hpp"

namespace skerry {
namespace {

struct DTypeRow {
  std::string_view name;
  int bits;
};
constexpr std::array kDTypes = {
#define SKERRY_DTYPE(name, bits, onnx) DTypeRow{#name, bits},
#include <skerry/dtypes.def>
#undef SKERRY_DTYPE
};

// Of the widest type they are 2^62 bytes, so that bytes of one tensor never overflow.
constexpr std::int64_t kMaxElements = std::int64_t{1} << 58;

}  // namespace

std::string_view dtype_name(DType dtype) noexcept {
  return kDTypes[static_cast<std::size_t>(dtype)].name;
}
int dtype_bits(DType dtype) noexcept {
  return kDTypes[static_cast<std::size_t>(dtype)].bits;
}

DType dtype_from_name(std::string_view name) {
  std::string known;
  for (std::size_t i = 0; i < kDTypes.size(); ++i) {
    if (kDTypes[i].name == name) return static_cast<DType>(i);
    known += (i == 0 ? "" : ", ") + std::string(kDTypes[i].name);
  }
  throw Error(ErrorCode::invalid_argument, "unknown dtype '" + std::string(name) + "'", {}, "use one of " + known);
}

Shape::Shape(std::initializer_list<std::int64_t> dims) : Shape(std::span(dims.begin(), dims.size())) {}

Shape::Shape(std::span<const std::int64_t> dims) : rank_(static_cast<int>(dims.size())) {
  if (dims.size() > kMaxRank) {
    throw Error(ErrorCode::out_of_range, "a tensor has " + std::to_string(dims.size()) + " axes but at most " +
                                             std::to_string(kMaxRank) + " are possible");
  }
  std::int64_t product = 1;
  for (std::size_t i = 0; i < dims.size(); ++i) {
    if (dims[i] < 0)
      throw Error(ErrorCode::out_of_range,
                  "axis " + std::to_string(i) + " has " + std::to_string(dims[i]) + " elements");
    dims_[i] = dims[i];
    if (dims[i] != 0 && product > kMaxElements / dims[i]) {
      throw Error(ErrorCode::out_of_range, "a tensor of more than 2^58 elements cannot exist");
    }
    // A zero extent empties the tensor, yet the other extents still may not overflow together.
    if (dims[i] != 0) product *= dims[i];
  }
}

std::int64_t Shape::elements() const noexcept {
  std::int64_t product = 1;
  for (int axis = 0; axis < rank_; ++axis) product *= dims_[static_cast<std::size_t>(axis)];
  return product;
}

std::string Shape::text() const {
  std::string out = "[";
  for (int axis = 0; axis < rank_; ++axis) out += (axis == 0 ? "" : ",") + std::to_string((*this)[axis]);
  return out + "]";
}

bool Shape::operator==(const Shape& other) const noexcept {
  return rank_ == other.rank_ &&
         std::memcmp(dims_.data(), other.dims_.data(), sizeof(std::int64_t) * static_cast<std::size_t>(rank_)) == 0;
}

std::uint64_t tensor_bytes(DType dtype, const Shape& shape) noexcept {
  const auto elements = static_cast<std::uint64_t>(shape.elements());
  const auto bits = static_cast<std::uint64_t>(dtype_bits(dtype));
  return bits < 8 ? (elements * bits + 7) / 8 : elements * (bits / 8);
}

Tensor::Tensor(DType dtype, Shape shape) {
  // One byte at least: a tensor without elements still has an address.
  const std::uint64_t bytes = std::max<std::uint64_t>(tensor_bytes(dtype, shape), 1);
  std::shared_ptr<std::byte> block = base::shared_block(bytes);
  if (block == nullptr) {
    throw Error(ErrorCode::budget_exceeded,
                "the system refused " + std::to_string(bytes) + " bytes for a tensor of shape " + shape.text());
  }
  view_ = TensorView(dtype, shape, block.get());
  owner_ = std::move(block);
}

Tensor::Tensor(TensorView view, std::shared_ptr<const void> owner) : view_(view), owner_(std::move(owner)) {}

MutableTensorView Tensor::mutable_view() noexcept {
  return {view_.dtype(), view_.shape(), const_cast<std::byte*>(view_.data())};
}

}  // namespace skerry
