// Portable maps, P1 to P6: bits, greys or colours, as text or as bytes.
#include "kernels/images/plugin/formats.hpp"

namespace skerry::images {
namespace {

class Reader {
 public:
  explicit Reader(const File& file) : file_(file) {}

  /// The next whole number after white space and comments; a number of one digit where digits need no space between.
  bool number(std::uint32_t& value, bool digit = false) {
    for (;; ++at_) {
      if (at_ >= file_.size) return false;
      if (file_.data[at_] == '#') {
        while (at_ < file_.size && file_.data[at_] != '\n' && file_.data[at_] != '\r') ++at_;
      } else if (!is_space()) {
        break;
      }
    }
    constexpr std::uint32_t kMost = 100'000'000;
    const std::size_t begin = at_;
    for (value = 0; at_ < file_.size && is_digit() && value < kMost && !(digit && at_ > begin); ++at_)
      value = value * 10 + (file_.data[at_] - std::uint32_t{'0'});
    return at_ > begin;
  }
  /// After one white space the bytes begin.
  bool end_header() { return at_ < file_.size && is_space() ? (++at_, true) : false; }
  const unsigned char* bytes(std::uint64_t count) const {
    return count <= file_.size - at_ ? file_.data + at_ : nullptr;
  }

 private:
  bool is_space() const { return std::strchr(" \t\n\v\f\r", file_.data[at_]) != nullptr && file_.data[at_] != 0; }
  bool is_digit() const { return file_.data[at_] >= '0' && file_.data[at_] <= '9'; }

  const File& file_;
  std::size_t at_ = 2;
};

struct Header {
  bool as_text, bits;
  std::uint64_t channels, width, height;
  std::uint32_t most;
};

void put(unsigned char* out, const Header& header, std::uint64_t sample, unsigned char value) {
  if (header.channels == 3) {
    out[sample] = value;
  } else {
    std::memset(out + 3 * sample, value, 3);
  }
}

Outcome read_text(Reader& in, const Header& header, unsigned char* out) {
  for (std::uint64_t i = 0; i < header.width * header.height * header.channels; ++i) {
    std::uint32_t value = 0;
    if (!in.number(value, header.bits)) return SKERRY_IMAGES_BROKEN;
    put(out, header, i, header.bits ? (value != 0 ? 0 : 255) : to_byte(value, header.most));
  }
  return SKERRY_IMAGES_DECODED;
}

Outcome read_bytes(Reader& in, const Header& header, unsigned char* out) {
  if (!in.end_header()) return SKERRY_IMAGES_BROKEN;
  const std::uint64_t wide = header.most > 255 ? 2 : 1, count = header.width * header.height * header.channels;
  const std::uint64_t row = (header.width + 7) / 8;
  const unsigned char* from = in.bytes(header.bits ? row * header.height : count * wide);
  if (from == nullptr) return SKERRY_IMAGES_BROKEN;
  for (std::uint64_t i = 0; i < count; ++i) {
    if (header.bits) {
      const std::uint64_t x = i % header.width;
      const bool black = ((from[i / header.width * row + x / 8] >> (7 - x % 8)) & 1) != 0;
      put(out, header, i, black ? 0 : 255);
    } else {
      const std::uint32_t value = wide == 1 ? from[i] : std::uint32_t{from[2 * i]} << 8 | from[2 * i + 1];
      put(out, header, i, to_byte(value, header.most));
    }
  }
  return SKERRY_IMAGES_DECODED;
}

}  // namespace

Outcome decode_pnm(const File& file, const Target& target) {
  const char kind = static_cast<char>(file.data[1]);
  Reader in(file);
  std::uint32_t width = 0, height = 0;
  Header header{.as_text = kind <= '3',
                .bits = kind == '1' || kind == '4',
                .channels = kind == '3' || kind == '6' ? 3U : 1U,
                .width = 0,
                .height = 0,
                .most = 1};
  if (!in.number(width) || !in.number(height) || (!header.bits && !in.number(header.most)) || width == 0 ||
      height == 0 || header.most == 0 || header.most > 65535)
    return SKERRY_IMAGES_BROKEN;
  header.width = width, header.height = height;
  unsigned char* const out = target.begin(height, width);
  if (out == nullptr) return SKERRY_IMAGES_STOPPED;
  return header.as_text ? read_text(in, header, out) : read_bytes(in, header, out);
}

}  // namespace skerry::images
