#include "ir/text/tensor_text.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>
#include <skerry/graph.hpp>
#include <type_traits>

#include "ir/text/base64.hpp"
#include "ir/text/parse.hpp"
#include "ir/text/spelling.hpp"

namespace skerry::ir {
namespace {

constexpr std::int64_t kMostReadable = 64;  // a line that a person still reads

/// Calls `body` with a value of the dtype's C++ type if its elements are written as numbers; gives whether it was.
template <class Body>
bool with_readable(DType dtype, Body&& body) {
  switch (dtype) {
    case DType::f32:
      body(float{});
      return true;
    case DType::f64:
      body(double{});
      return true;
    case DType::u8:
      body(std::uint8_t{});
      return true;
    case DType::i8:
      body(std::int8_t{});
      return true;
    case DType::u16:
      body(std::uint16_t{});
      return true;
    case DType::i16:
      body(std::int16_t{});
      return true;
    case DType::i32:
      body(std::int32_t{});
      return true;
    case DType::i64:
      body(std::int64_t{});
      return true;
    case DType::u32:
      body(std::uint32_t{});
      return true;
    case DType::u64:
      body(std::uint64_t{});
      return true;
    case DType::string:
    case DType::boolean:
    case DType::f16:
    case DType::c64:
    case DType::c128:
    case DType::bf16:
    case DType::f8e4m3fn:
    case DType::f8e4m3fnuz:
    case DType::f8e5m2:
    case DType::f8e5m2fnuz:
    case DType::u4:
    case DType::i4:
    case DType::f4e2m1:
    case DType::f8e8m0:
    case DType::u2:
    case DType::i2:
      return false;
  }
  return false;
}

std::span<const std::byte> bytes_of(const Tensor& tensor) {
  return {tensor.view().data(), static_cast<std::size_t>(tensor.view().bytes())};
}

template <class T>
bool all_readable(std::span<const T> values) {
  if constexpr (std::is_floating_point_v<T>) {
    return std::ranges::all_of(values, [](T v) { return std::isfinite(v); });
  }
  return true;
}

template <class T>
std::string listed(std::span<const T> values) {
  std::string text;
  for (const T value : values) {
    if (!text.empty()) text += ", ";
    if constexpr (std::is_floating_point_v<T>) {
      text += number(value);
    } else {
      text += std::to_string(value);
    }
  }
  return text;
}

std::uint64_t hash_of(std::span<const std::byte> bytes) {
  std::uint64_t hash = 0xcbf29ce484222325ULL;  // FNV-1a, 64 bits
  for (const std::byte b : bytes) hash = (hash ^ static_cast<std::uint64_t>(b)) * 0x100000001b3ULL;
  return hash;
}

template <class T>
T element(Lexer& lexer) {
  const bool is_negative = lexer.accept("-");
  const Token digits = lexer.take();
  if (digits.kind != TokenKind::number || !digits.suffix.empty()) {
    Lexer::fail_at(digits, "expected a number, found " + digits.described());
  }
  if constexpr (std::is_same_v<T, float>) {
    return is_negative ? -float_of(digits) : float_of(digits);
  } else if constexpr (std::is_same_v<T, double>) {
    return is_negative ? -real_of(digits) : real_of(digits);
  } else {
    const std::string text = (is_negative ? "-" : "") + digits.text;
    T value{};
    const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (status != std::errc() || end != text.data() + text.size()) {
      Lexer::fail_at(digits, text.substr(0, 40) + " is not a number of this type");
    }
    return value;
  }
}

template <class T>
Tensor read_list(Lexer& lexer, const Shape& shape) {
  const Token place = lexer.expect("<");
  std::vector<T> values;
  if (!lexer.peek().is(">")) {
    do {
      values.push_back(element<T>(lexer));
    } while (lexer.accept(","));
  }
  lexer.expect(">");
  if (static_cast<std::int64_t>(values.size()) != shape.elements()) {
    Lexer::fail_at(place, std::to_string(values.size()) + " elements for shape " + shape.text());
  }
  return Tensor::from(std::span<const T>(values), shape);
}

Tensor read_base64(Lexer& lexer, DType dtype, const Shape& shape) {
  lexer.expect("base64");
  const Token place = lexer.peek();
  if (!place.is("<")) lexer.fail("expected '<', found " + place.described());
  const auto bytes = from_base64(lexer.take_raw());
  if (!bytes) Lexer::fail_at(place, "not base64");
  if (bytes->size() != tensor_bytes(dtype, shape)) {
    Lexer::fail_at(place, std::to_string(bytes->size()) + " bytes for " + std::to_string(tensor_bytes(dtype, shape)) +
                              " of shape " + shape.text());
  }
  Tensor tensor(dtype, shape);
  if (!bytes->empty()) std::memcpy(tensor.mutable_view().data(), bytes->data(), bytes->size());
  return tensor;
}

}  // namespace

std::string tensor_text(const Tensor& tensor, std::size_t max_elements) {
  std::string text = TensorType::of(tensor.dtype(), tensor.shape()).text() + " ";
  const std::int64_t elements = tensor.shape().elements();
  if (static_cast<std::uint64_t>(elements) > max_elements) {
    return text + "hash<" + std::to_string(hash_of(bytes_of(tensor))) + ">";
  }
  if (elements <= kMostReadable) {
    bool is_written = false;
    with_readable(tensor.dtype(), [&]<class T>(T) {
      is_written = all_readable(tensor.as<T>());
      if (is_written) text += "<" + listed(tensor.as<T>()) + ">";
    });
    if (is_written) return text;
  }
  return text + "base64<" + base64(bytes_of(tensor)) + ">";
}

Tensor read_elements(Lexer& lexer, DType dtype, const Shape& shape) {
  if (dtype == DType::string) lexer.fail("constant tensors of strings are not supported", ErrorCode::semantic_error);
  if (lexer.peek().is("base64")) return read_base64(lexer, dtype, shape);
  Tensor tensor;
  if (with_readable(dtype, [&]<class T>(T) { tensor = read_list<T>(lexer, shape); })) return tensor;
  lexer.fail("elements of this type are written as base64<...>");
}

}  // namespace skerry::ir
