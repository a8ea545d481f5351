#include "package/weights.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <skerry/error.hpp>
#include <string>

#include "base/hash.hpp"
#include "package/format.hpp"

namespace skerry::package {
namespace {

alignas(kSectionAlignment) constexpr std::array<std::byte, kSectionAlignment> kZeros{};

/// Width of the numbers that planes are made of: a complex number is two.
std::size_t plane_width(DType dtype) {
  const bool is_complex = dtype == DType::c64 || dtype == DType::c128;
  const int bits = is_complex ? dtype_bits(dtype) / 2 : dtype_bits(dtype);
  return static_cast<std::size_t>(std::max(bits / 8, 1));
}

void refuse_strings(DType dtype) {
  if (dtype != DType::string) return;
  throw Error(ErrorCode::unsupported, "packages hold no tensors of strings", {}, "use an attribute of texts");
}

bool is_same(std::span<const std::byte> a, std::span<const std::byte> b) {
  return a.size() == b.size() && (a.data() == b.data() || std::memcmp(a.data(), b.data(), a.size()) == 0);
}

}  // namespace

std::uint64_t WeightLayout::place(const Tensor& tensor) {
  refuse_strings(tensor.dtype());
  const std::uint64_t size = tensor.view().bytes();
  if (size == 0) return 0;
  if (tensor.view().empty()) throw Error(ErrorCode::invalid_argument, "a constant without data");
  const std::span<const std::byte> bytes(tensor.view().data(), size);
  const std::uint64_t hash = base::hash128(bytes).low;
  const auto [first, last] = places_.equal_range(hash);
  for (auto it = first; it != last; ++it) {
    if (is_same(it->second.bytes, bytes)) return it->second.offset;
  }
  const std::uint64_t offset = aligned(bytes_, kSectionAlignment);
  if (offset != bytes_) pieces_.push_back({std::span(kZeros).first(offset - bytes_)});
  pieces_.push_back({bytes, plane_width(tensor.dtype())});
  bytes_ = offset + size;
  places_.emplace(hash, Place{offset, bytes});
  return offset;
}

Tensor Weights::tensor(DType dtype, const Shape& shape, std::uint64_t offset, std::uint64_t declared_bytes) const {
  refuse_strings(dtype);
  const std::uint64_t size = tensor_bytes(dtype, shape);
  if (size != declared_bytes) {
    throw Error(ErrorCode::corrupt, "a tensor " + std::string(dtype_name(dtype)) + shape.text() + " of " +
                                        std::to_string(size) + " bytes is said to have " +
                                        std::to_string(declared_bytes));
  }
  if (size == 0) return Tensor(TensorView(dtype, shape, kZeros.data()), nullptr);
  if (offset % kSectionAlignment != 0 || offset > bytes.size() || size > bytes.size() - offset) {
    throw Error(ErrorCode::corrupt, "a tensor of " + std::to_string(size) + " bytes at " + std::to_string(offset) +
                                        " is not inside the weights of " + std::to_string(bytes.size()));
  }
  const auto elements = bytes.subspan(offset, size);
  if (dtype == DType::boolean && std::ranges::any_of(elements, [](std::byte b) { return b > std::byte{1}; })) {
    throw Error(ErrorCode::corrupt, "a boolean that is neither 0 nor 1");
  }
  return Tensor(TensorView(dtype, shape, elements.data()), owner);
}

}  // namespace skerry::package
