#include <webp/decode.h>

#include "kernels/images/plugin/formats.hpp"

namespace skerry::images {

Outcome decode_webp(const File& file, const Target& target) {
  int width = 0, height = 0;
  if (WebPGetInfo(file.data, file.size, &width, &height) == 0 || width <= 0 || height <= 0) return SKERRY_IMAGES_BROKEN;
  const auto stride = static_cast<std::uint64_t>(width) * 3;
  unsigned char* const out = target.begin(static_cast<std::uint64_t>(height), static_cast<std::uint64_t>(width));
  if (out == nullptr) return SKERRY_IMAGES_STOPPED;
  return WebPDecodeRGBInto(file.data, file.size, out, stride * static_cast<std::uint64_t>(height),
                           static_cast<int>(stride)) != nullptr
             ? SKERRY_IMAGES_DECODED
             : SKERRY_IMAGES_BROKEN;
}

}  // namespace skerry::images
