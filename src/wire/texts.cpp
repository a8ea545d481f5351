#include "wire/texts.hpp"

#include <simdjson.h>

#include <cstdint>
#include <memory>
#include <skerry/error.hpp>
#include <utility>
#include <vector>

namespace skerry::wire {
namespace {

constexpr std::size_t kLengthBytes = 4;

std::uint32_t length_at(const char* at) noexcept {
  const auto* bytes = reinterpret_cast<const unsigned char*>(at);
  return bytes[0] | std::uint32_t{bytes[1]} << 8 | std::uint32_t{bytes[2]} << 16 | std::uint32_t{bytes[3]} << 24;
}

}  // namespace

Tensor tensor_of(const Strings& strings) {
  const auto* first = strings.texts == nullptr ? nullptr : strings.texts->data();
  return {TensorView(DType::string, strings.shape, reinterpret_cast<const std::byte*>(first)), strings.texts};
}

Strings strings_of(const Tensor& tensor) {
  return {tensor.shape(), std::static_pointer_cast<const std::vector<std::string>>(tensor.owner())};
}

std::span<const std::string> texts_of(const TensorView& tensor) noexcept {
  return {reinterpret_cast<const std::string*>(tensor.data()), static_cast<std::size_t>(tensor.elements())};
}

std::string bytes_of(std::span<const std::string> texts) {
  std::size_t size = 0;
  for (const std::string& text : texts) size += kLengthBytes + text.size();
  std::string out;
  out.reserve(size);
  for (const std::string& text : texts) {
    if (text.size() > UINT32_MAX)
      throw Error(ErrorCode::limit_exceeded,
                  "a text of " + std::to_string(text.size()) + " bytes is too long to be sent");
    const auto length = static_cast<std::uint32_t>(text.size());
    for (std::size_t i = 0; i < kLengthBytes; ++i) out.push_back(static_cast<char>(length >> (8 * i) & 0xff));
    out += text;
  }
  return out;
}

Tensor texts_of_bytes(const Shape& shape, std::string_view bytes, const std::string& where) {
  const auto elements = static_cast<std::uint64_t>(shape.elements());
  const auto fail = [&](const std::string& what) {
    throw Error(ErrorCode::invalid_argument, what, where,
                "give each text as its length in four little-endian bytes, then its bytes");
  };
  if (elements > bytes.size() / kLengthBytes)  // before anything is allocated
    fail("a tensor BYTES" + shape.text() + " has " + std::to_string(elements) + " texts, which " +
         std::to_string(bytes.size()) + " bytes cannot hold");
  auto texts = std::make_shared<std::vector<std::string>>();  // shared: tensors share what they look at
  texts->reserve(elements);
  while (texts->size() < elements) {
    const std::string name = "text " + std::to_string(texts->size());
    const std::uint32_t length = bytes.size() < kLengthBytes ? 0 : length_at(bytes.data());
    if (bytes.size() < kLengthBytes + std::size_t{length}) fail(name + " ends behind the bytes that are given");
    const std::string_view text = bytes.substr(kLengthBytes, length);
    if (!simdjson::validate_utf8(text)) fail(name + " is not UTF-8");
    texts->emplace_back(text);
    bytes.remove_prefix(kLengthBytes + text.size());
  }
  if (!bytes.empty())
    fail(std::to_string(bytes.size()) + " bytes are left behind " + std::to_string(elements) + " texts");
  return tensor_of(Strings{shape, std::move(texts)});
}

}  // namespace skerry::wire
