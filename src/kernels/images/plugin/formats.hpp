/// \file
/// What the formats have in common. C++ without exceptions: errors of the C libraries jump.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernels/images/abi.h"

namespace skerry::images {

using Outcome = skerry_images_outcome;

struct File {
  const unsigned char* data;
  std::size_t size;

  /// Whether the bytes from `at` on are these.
  template <std::size_t N>
  bool has(std::size_t at, const char (&text)[N]) const noexcept {
    return size >= at + N - 1 && std::memcmp(data + at, text, N - 1) == 0;
  }
};

/// Where the pixels go.
struct Target {
  unsigned char* (*begin_)(void*, std::uint64_t, std::uint64_t);
  void* user;
  /// Rows of three bytes for each pixel; null: it is not wanted. No extent is 0.
  unsigned char* begin(std::uint64_t height, std::uint64_t width) const {
    return height == 0 || width == 0 ? nullptr : begin_(user, height, width);
  }
};

Outcome decode_bmp(const File& file, const Target& target);
Outcome decode_jpeg(const File& file, const Target& target);
Outcome decode_jpeg2000(const File& file, const Target& target);
Outcome decode_png(const File& file, const Target& target);
Outcome decode_pnm(const File& file, const Target& target);
Outcome decode_tiff(const File& file, const Target& target);
Outcome decode_webp(const File& file, const Target& target);

/// Bytes of a channel of less than 8 bits, or more, as 8.
inline unsigned char to_byte(std::uint32_t value, std::uint32_t most) noexcept {
  const std::uint64_t bounded = value < most ? value : most;
  return static_cast<unsigned char>((bounded * 510 + most) / (std::uint64_t{2} * most));
}

}  // namespace skerry::images
