/// \file
/// What flows through a graph: element types, shapes, and dense row-major tensors, viewed or owned.
#pragma once

#include <array>
#include <complex>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

namespace skerry {

/// Element types; rows, widths and names in `include/skerry/dtypes.def`.
enum class DType : std::uint8_t {
#define SKERRY_DTYPE(name, bits, onnx) name,
#include <skerry/dtypes.def>
#undef SKERRY_DTYPE
};

/// Spelling used by text, JSON and messages: `f32`, `i64`, `c128`.
std::string_view dtype_name(DType dtype) noexcept;
/// Width of one element in bits: 4 for i4, 2 for u2, 64 for c64 (two f32).
int dtype_bits(DType dtype) noexcept;
/// The dtype of a spelling. Errors: invalid_argument with the list of spellings.
DType dtype_from_name(std::string_view name);

/// DType of a C++ element type.
template <class T>
constexpr DType dtype_of();
template <>
constexpr DType dtype_of<float>() {
  return DType::f32;
}
template <>
constexpr DType dtype_of<double>() {
  return DType::f64;
}
template <>
constexpr DType dtype_of<std::int8_t>() {
  return DType::i8;
}
template <>
constexpr DType dtype_of<std::int16_t>() {
  return DType::i16;
}
template <>
constexpr DType dtype_of<std::int32_t>() {
  return DType::i32;
}
template <>
constexpr DType dtype_of<std::int64_t>() {
  return DType::i64;
}
template <>
constexpr DType dtype_of<std::uint8_t>() {
  return DType::u8;
}
template <>
constexpr DType dtype_of<std::uint16_t>() {
  return DType::u16;
}
template <>
constexpr DType dtype_of<std::uint32_t>() {
  return DType::u32;
}
template <>
constexpr DType dtype_of<std::uint64_t>() {
  return DType::u64;
}
template <>
constexpr DType dtype_of<bool>() {
  return DType::boolean;
}
template <>
constexpr DType dtype_of<std::complex<float>>() {
  return DType::c64;
}
template <>
constexpr DType dtype_of<std::complex<double>>() {
  return DType::c128;
}

/// Extents of a dense tensor, outermost first; at most kMaxRank of them, held in place.
class Shape {
 public:
  static constexpr int kMaxRank = 8;

  Shape() = default;
  /// Errors: out_of_range for more than kMaxRank dims, a negative dim, or a product past 2^58.
  Shape(std::initializer_list<std::int64_t> dims);
  explicit Shape(std::span<const std::int64_t> dims);

  int rank() const noexcept { return rank_; }
  std::int64_t operator[](int axis) const noexcept { return dims_[static_cast<std::size_t>(axis)]; }
  std::span<const std::int64_t> dims() const noexcept { return {dims_.data(), static_cast<std::size_t>(rank_)}; }
  /// Product of the dims; 1 for a scalar.
  std::int64_t elements() const noexcept;
  /// `[2,3]`; `[]` for a scalar.
  std::string text() const;
  bool operator==(const Shape& other) const noexcept;

 private:
  std::array<std::int64_t, kMaxRank> dims_{};
  int rank_ = 0;
};

/// Bytes of a dense tensor; types of 4 and 2 bits are packed, the first element in the low bits, and rounded up.
std::uint64_t tensor_bytes(DType dtype, const Shape& shape) noexcept;

/// Elements somebody else owns, dense and row-major. Valid while the owner lives. Cheap to copy.
template <class Byte>
class BasicTensorView {
 public:
  BasicTensorView() = default;
  BasicTensorView(DType dtype, Shape shape, Byte* data) : dtype_(dtype), shape_(shape), data_(data) {}
  /// A mutable view is also a read-only one.
  operator BasicTensorView<const std::byte>() const {
    return {dtype_, shape_, data_};
  }  // NOLINT(google-explicit-constructor)

  DType dtype() const noexcept { return dtype_; }
  const Shape& shape() const noexcept { return shape_; }
  std::int64_t elements() const noexcept { return shape_.elements(); }
  std::uint64_t bytes() const noexcept { return tensor_bytes(dtype_, shape_); }
  Byte* data() const noexcept { return data_; }
  bool empty() const noexcept { return data_ == nullptr; }
  /// The elements as T. Precondition: T is the dtype's C++ type (bool for boolean).
  template <class T>
  auto as() const noexcept {
    using Element = std::conditional_t<std::is_const_v<Byte>, const T, T>;
    return std::span<Element>(reinterpret_cast<Element*>(data_), static_cast<std::size_t>(elements()));
  }

 private:
  DType dtype_ = DType::f32;
  Shape shape_;
  Byte* data_ = nullptr;
};
using TensorView = BasicTensorView<const std::byte>;
using MutableTensorView = BasicTensorView<std::byte>;

/// A dense tensor that keeps its storage alive. Copies share storage (weights are mapped once and seen by many graphs,
/// sessions and results), so the elements of a Tensor that was handed out are never written again.
class Tensor {
 public:
  Tensor() = default;
  /// New 64-byte-aligned storage filled with zeros. Errors: out_of_range when the size overflows.
  Tensor(DType dtype, Shape shape);
  /// Borrowed elements that `owner` keeps alive (a mapped file, an array of Python's); owner may be null for static
  /// data. They may stand at any address: weights inside an ONNX file are aligned to nothing.
  Tensor(TensorView view, std::shared_ptr<const void> owner);
  /// A copy of values.
  template <class T>
  static Tensor from(std::span<const T> values, Shape shape);

  DType dtype() const noexcept { return view_.dtype(); }
  const Shape& shape() const noexcept { return view_.shape(); }
  const TensorView& view() const noexcept { return view_; }
  const std::shared_ptr<const void>& owner() const noexcept { return owner_; }
  /// The one writer's view. Precondition: made by Tensor(dtype, shape) and not shared yet.
  MutableTensorView mutable_view() noexcept;
  template <class T>
  std::span<const T> as() const noexcept {
    return view_.as<T>();
  }

 private:
  TensorView view_;
  std::shared_ptr<const void> owner_;
};

template <class T>
Tensor Tensor::from(std::span<const T> values, Shape shape) {
  Tensor tensor(dtype_of<T>(), shape);
  auto target = tensor.mutable_view().template as<T>();
  for (std::size_t i = 0; i < target.size(); ++i) target[i] = values[i];
  return tensor;
}

}  // namespace skerry
