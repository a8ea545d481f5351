/// \file
/// The protobuf wire format, read in place: a cursor over the fields of one message that copies nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <skerry/error.hpp>
#include <span>
#include <string>
#include <string_view>

namespace skerry::frontend::onnx {

using Bytes = std::span<const std::byte>;

/// How a field's value is written; the two group types of old are refused.
enum class WireType : std::uint8_t { varint = 0, fixed64 = 1, length = 2, fixed32 = 5 };

/// One field of a message. A view into the file.
struct Field {
  std::uint32_t number = 0;
  WireType type = WireType::varint;
  std::uint64_t bits = 0;  ///< of varint, fixed32 and fixed64
  Bytes bytes;             ///< of length
};

/// Reads the fields of one message from first to last. All errors are syntax_error whose `where` is `byte N`, counted
/// from `origin`.
class WireReader {
 public:
  /// origin: first byte of the whole file, for messages.
  WireReader(Bytes message, const std::byte* origin) : rest_(message), origin_(origin) {}

  /// Takes the next field; false at the end of the message.
  bool next(Field& field);

  /// The bytes of a submessage or blob. Errors: the field is written as a number.
  Bytes message(const Field& field) const;
  /// A name or text. Errors: longer than max_bytes (limit_exceeded), not UTF-8.
  std::string_view text(const Field& field, std::uint32_t max_bytes) const;
  std::int64_t integer(const Field& field) const;
  float real32(const Field& field) const;

  [[noreturn]] void fail(const std::string& message) const;
  const std::byte* origin() const noexcept { return origin_; }

 private:
  std::uint64_t take_varint();
  std::uint64_t take_fixed(std::size_t width);

  Bytes rest_;
  const std::byte* origin_;
};

/// Numbers of a repeated field, packed into one blob or single.
/// visit(bits): the varint, or the raw 32 or 64 bits, of each element in order.
template <class Visit>
void for_each_number(const Field& field, WireType element, const WireReader& at, Visit visit);

/// Takes one varint off the front. Returns false when it is cut off or longer than ten bytes.
bool take_varint(Bytes& rest, std::uint64_t& value) noexcept;
/// Takes width (4 or 8) little-endian bytes off the front. Returns false when there are fewer.
bool take_fixed(Bytes& rest, std::size_t width, std::uint64_t& value) noexcept;
bool is_utf8(std::string_view text) noexcept;

template <class Visit>
void for_each_number(const Field& field, WireType element, const WireReader& at, Visit visit) {
  if (field.type == element) {
    visit(field.bits);
    return;
  }
  if (field.type != WireType::length) at.fail("field " + std::to_string(field.number) + " has the wrong wire type");
  Bytes rest = field.bytes;
  const std::size_t width = element == WireType::fixed64 ? 8 : 4;
  while (!rest.empty()) {
    std::uint64_t bits = 0;
    const bool whole = element == WireType::varint ? take_varint(rest, bits) : take_fixed(rest, width, bits);
    if (!whole) at.fail("packed field " + std::to_string(field.number) + " ends inside an element");
    visit(bits);
  }
}

}  // namespace skerry::frontend::onnx
