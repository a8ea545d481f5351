// libskerry_images.so: which format a file has, and what reads it.
#include "kernels/images/plugin/formats.hpp"

namespace skerry::images {
namespace {

using Decode = Outcome (*)(const File&, const Target&);

struct Format {
  const char* name;  ///< with the library that reads it
  bool (*is)(const File&);
  Decode decode;  ///< null: built without
};

#ifdef SKERRY_IMAGES_JPEG
constexpr Decode kJpeg = decode_jpeg;
#else
constexpr Decode kJpeg = nullptr;
#endif
#ifdef SKERRY_IMAGES_JPEG2000
constexpr Decode kJpeg2000 = decode_jpeg2000;
#else
constexpr Decode kJpeg2000 = nullptr;
#endif
#ifdef SKERRY_IMAGES_PNG
constexpr Decode kPng = decode_png;
#else
constexpr Decode kPng = nullptr;
#endif
#ifdef SKERRY_IMAGES_TIFF
constexpr Decode kTiff = decode_tiff;
#else
constexpr Decode kTiff = nullptr;
#endif
#ifdef SKERRY_IMAGES_WEBP
constexpr Decode kWebp = decode_webp;
#else
constexpr Decode kWebp = nullptr;
#endif

constexpr Format kFormats[] = {
    {"BMP", [](const File& f) { return f.has(0, "BM"); }, decode_bmp},
    {"JPEG (libjpeg)", [](const File& f) { return f.has(0, "\xff\xd8\xff"); }, kJpeg},
    {"JPEG 2000 (openjpeg)", [](const File& f) { return f.has(4, "jP  \r\n\x87\n") || f.has(0, "\xff\x4f\xff\x51"); },
     kJpeg2000},
    {"PNG (libpng)", [](const File& f) { return f.has(0, "\x89PNG\r\n\x1a\n"); }, kPng},
    {"PNM", [](const File& f) { return f.size > 2 && f.data[0] == 'P' && f.data[1] >= '1' && f.data[1] <= '6'; },
     decode_pnm},
    {"TIFF (libtiff)",
     [](const File& f) { return f.has(0, "II*\0") || f.has(0, "MM\0*") || f.has(0, "II+\0") || f.has(0, "MM\0+"); },
     kTiff},
    {"WebP (libwebp)", [](const File& f) { return f.has(0, "RIFF") && f.has(8, "WEBP"); }, kWebp},
};

Outcome decode(const unsigned char* bytes, std::size_t size,
               unsigned char* (*begin)(void*, std::uint64_t, std::uint64_t), void* user, const char** format) {
  const File file{bytes, size};
  for (const Format& each : kFormats) {
    if (!each.is(file)) continue;
    *format = each.name;
    return each.decode == nullptr ? SKERRY_IMAGES_MISSING : each.decode(file, {begin, user});
  }
  return SKERRY_IMAGES_BROKEN;
}

}  // namespace
}  // namespace skerry::images

extern "C" __attribute__((visibility("default"))) const skerry_images_api* skerry_images(void) {
  static constexpr skerry_images_api kApi = {SKERRY_IMAGES_ABI, skerry::images::decode};
  return &kApi;
}
