/// \file
/// Images from their files' bytes, by a library that is opened at the first one: libskerry_images.so, which brings the
/// libraries of their formats with it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>

namespace skerry::kernels {

/// Memory for height * width * 3 bytes; what it throws reaches the caller of decode_image().
using ImageMemory = std::function<std::byte*(std::uint64_t height, std::uint64_t width)>;

/// Most pixels of an image: beyond, a small file is a bomb.
inline constexpr std::uint64_t kMostPixels = std::uint64_t{1} << 27;
/// Bytes that decoders take for each pixel while they run, beside the result.
inline constexpr std::uint64_t kDecodingBytes = 16;

/// Writes rows of red, green and blue into what `memory` gives, which is asked once, as soon as the extents are known.
/// BMP, JPEG, JPEG 2000, PNG, PNM, TIFF and WebP, told apart by their first bytes. False: no image, or a damaged one.
/// Errors: limit_exceeded past kMostPixels; unsupported where libskerry_images.so is not there, or was built without
/// the format's library.
bool decode_image(std::span<const std::byte> file, const ImageMemory& memory);

}  // namespace skerry::kernels
