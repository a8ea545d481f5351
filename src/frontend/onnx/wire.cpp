#include "frontend/onnx/wire.hpp"

#include <bit>
#include <cstring>

namespace skerry::frontend::onnx {

bool take_varint(Bytes& rest, std::uint64_t& value) noexcept {
  value = 0;
  for (std::size_t i = 0; i < rest.size() && i < 10; ++i) {
    const auto byte = std::to_integer<std::uint64_t>(rest[i]);
    value |= (byte & 0x7f) << (7 * i);
    if (byte < 0x80) {
      rest = rest.subspan(i + 1);
      return true;
    }
  }
  return false;
}

bool take_fixed(Bytes& rest, std::size_t width, std::uint64_t& value) noexcept {
  static_assert(std::endian::native == std::endian::little,
                "weights are used in place, so the host must be little-endian");
  if (rest.size() < width) return false;
  value = 0;
  std::memcpy(&value, rest.data(), width);
  rest = rest.subspan(width);
  return true;
}

bool WireReader::next(Field& field) {
  if (rest_.empty()) return false;
  const std::uint64_t tag = take_varint();
  field.number = static_cast<std::uint32_t>(tag >> 3);
  if (tag >> 32 != 0 || field.number == 0) fail("tag " + std::to_string(tag) + " is no field");
  field.bits = 0;
  field.bytes = {};
  switch (tag & 7) {
    case 0:
      field.type = WireType::varint;
      field.bits = take_varint();
      return true;
    case 1:
      field.type = WireType::fixed64;
      field.bits = take_fixed(8);
      return true;
    case 2: {
      field.type = WireType::length;
      const std::uint64_t length = take_varint();
      if (length > rest_.size())
        fail("field " + std::to_string(field.number) + " says " + std::to_string(length) + " bytes, " +
             std::to_string(rest_.size()) + " are left");
      field.bytes = rest_.first(static_cast<std::size_t>(length));
      rest_ = rest_.subspan(static_cast<std::size_t>(length));
      return true;
    }
    case 5:
      field.type = WireType::fixed32;
      field.bits = take_fixed(4);
      return true;
  }
  fail("field " + std::to_string(field.number) + " has wire type " + std::to_string(tag & 7));
}

std::uint64_t WireReader::take_varint() {
  std::uint64_t value = 0;
  if (!onnx::take_varint(rest_, value)) fail("a number is cut off or longer than ten bytes");
  return value;
}

std::uint64_t WireReader::take_fixed(std::size_t width) {
  std::uint64_t value = 0;
  if (!onnx::take_fixed(rest_, width, value)) fail("a number is cut off");
  return value;
}

Bytes WireReader::message(const Field& field) const {
  if (field.type != WireType::length) fail("field " + std::to_string(field.number) + " should be a message or text");
  return field.bytes;
}

std::string_view WireReader::text(const Field& field, std::uint32_t max_bytes) const {
  const Bytes bytes = message(field);
  const std::string_view view(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (view.size() > max_bytes)
    throw Error(ErrorCode::limit_exceeded,
                "a name has " + std::to_string(view.size()) + " bytes, max_name_bytes is " + std::to_string(max_bytes),
                "byte " + std::to_string(bytes.data() - origin_));
  if (!is_utf8(view)) fail("field " + std::to_string(field.number) + " is not UTF-8 text");
  return view;
}

std::int64_t WireReader::integer(const Field& field) const {
  if (field.type != WireType::varint) fail("field " + std::to_string(field.number) + " should be an integer");
  return static_cast<std::int64_t>(field.bits);
}

float WireReader::real32(const Field& field) const {
  if (field.type != WireType::fixed32) fail("field " + std::to_string(field.number) + " should be a float");
  return std::bit_cast<float>(static_cast<std::uint32_t>(field.bits));
}

void WireReader::fail(const std::string& message) const {
  throw Error(ErrorCode::syntax_error, message, "byte " + std::to_string(rest_.data() - origin_),
              "the file is damaged, or no ONNX model");
}

namespace {

/// Bytes that must follow a UTF-8 lead byte; -1 for a byte that cannot lead.
int continuation_bytes(unsigned char lead) noexcept {
  if (lead < 0x80) return 0;
  if (lead >= 0xc2 && lead <= 0xdf) return 1;
  if (lead >= 0xe0 && lead <= 0xef) return 2;
  if (lead >= 0xf0 && lead <= 0xf4) return 3;
  return -1;
}

}  // namespace

bool is_utf8(std::string_view text) noexcept {
  for (std::size_t i = 0; i < text.size();) {
    const auto lead = static_cast<unsigned char>(text[i++]);
    const int more = continuation_bytes(lead);
    if (more < 0) return false;
    for (int k = 0; k < more; ++k, ++i) {
      if (i == text.size()) return false;
      const auto byte = static_cast<unsigned char>(text[i]);
      if ((byte & 0xc0) != 0x80) return false;
      if (k > 0) continue;
      // Overlong forms, surrogates and code points past U+10FFFF all show in the second byte.
      if ((lead == 0xe0 && byte < 0xa0) || (lead == 0xed && byte > 0x9f)) return false;
      if ((lead == 0xf0 && byte < 0x90) || (lead == 0xf4 && byte > 0x8f)) return false;
    }
  }
  return true;
}

}  // namespace skerry::frontend::onnx
