#include <tiffio.h>

#include <algorithm>
#include <cstdlib>

#include "kernels/images/plugin/formats.hpp"

namespace skerry::images {
namespace {

struct Bytes {
  const File* file;
  std::uint64_t at;
};

tmsize_t read(thandle_t handle, void* to, tmsize_t count) {
  auto& bytes = *static_cast<Bytes*>(handle);
  const std::uint64_t left = bytes.at < bytes.file->size ? bytes.file->size - bytes.at : 0;
  const std::uint64_t given = std::min(left, static_cast<std::uint64_t>(std::max<tmsize_t>(count, 0)));
  if (given > 0) std::memcpy(to, bytes.file->data + bytes.at, given);
  bytes.at += given;
  return static_cast<tmsize_t>(given);
}

toff_t seek(thandle_t handle, toff_t offset, int whence) {
  auto& bytes = *static_cast<Bytes*>(handle);
  bytes.at = offset + (whence == SEEK_CUR ? bytes.at : whence == SEEK_END ? bytes.file->size : 0);
  return bytes.at;
}

int keep_quiet(TIFF*, void*, const char*, const char*, va_list) {
  return 1;
}

TIFF* opened(Bytes& bytes) {
  constexpr tmsize_t kMostAtOnce = tmsize_t{1} << 31;
  TIFFOpenOptions* options = TIFFOpenOptionsAlloc();
  if (options == nullptr) return nullptr;
  TIFFOpenOptionsSetErrorHandlerExtR(options, keep_quiet, nullptr);
  TIFFOpenOptionsSetWarningHandlerExtR(options, keep_quiet, nullptr);
  TIFFOpenOptionsSetMaxSingleMemAlloc(options, kMostAtOnce);
  const auto nothing_written = [](thandle_t, void*, tmsize_t) { return tmsize_t{0}; };
  TIFF* tiff = TIFFClientOpenExt(
      "image", "rm", &bytes, read, nothing_written, seek, [](thandle_t) { return 0; },
      [](thandle_t handle) { return static_cast<toff_t>(static_cast<Bytes*>(handle)->file->size); }, nullptr, nullptr,
      options);
  TIFFOpenOptionsFree(options);
  return tiff;
}

Outcome read_pixels(TIFF* tiff, const Target& target) {
  std::uint32_t width = 0, height = 0;
  if (TIFFGetField(tiff, TIFFTAG_IMAGEWIDTH, &width) == 0 || TIFFGetField(tiff, TIFFTAG_IMAGELENGTH, &height) == 0 ||
      width == 0 || height == 0)
    return SKERRY_IMAGES_BROKEN;
  char reason[1024];
  if (TIFFRGBAImageOK(tiff, reason) == 0) return SKERRY_IMAGES_BROKEN;
  unsigned char* const out = target.begin(height, width);
  if (out == nullptr) return SKERRY_IMAGES_STOPPED;
  const std::size_t pixels = std::size_t{width} * height;
  auto* const all = static_cast<std::uint32_t*>(std::calloc(pixels, sizeof(std::uint32_t)));
  if (all == nullptr) return SKERRY_IMAGES_BROKEN;
  const bool done = TIFFReadRGBAImageOriented(tiff, width, height, all, ORIENTATION_TOPLEFT, 1) != 0;
  for (std::size_t i = 0; done && i < pixels; ++i) {
    out[3 * i] = static_cast<unsigned char>(TIFFGetR(all[i]));
    out[3 * i + 1] = static_cast<unsigned char>(TIFFGetG(all[i]));
    out[3 * i + 2] = static_cast<unsigned char>(TIFFGetB(all[i]));
  }
  std::free(all);
  return done ? SKERRY_IMAGES_DECODED : SKERRY_IMAGES_BROKEN;
}

}  // namespace

Outcome decode_tiff(const File& file, const Target& target) {
  Bytes bytes{&file, 0};
  TIFF* tiff = opened(bytes);
  if (tiff == nullptr) return SKERRY_IMAGES_BROKEN;
  const Outcome outcome = read_pixels(tiff, target);
  TIFFClose(tiff);
  return outcome;
}

}  // namespace skerry::images
