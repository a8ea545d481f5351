#include <png.h>

#include <csetjmp>

#include "kernels/images/plugin/formats.hpp"

namespace skerry::images {
namespace {

struct Bytes {
  const File* file;
  std::size_t at;
};

void read(png_structp png, png_bytep to, std::size_t count) {
  auto& bytes = *static_cast<Bytes*>(png_get_io_ptr(png));
  if (count > bytes.file->size - bytes.at) png_error(png, "the end is missing");
  std::memcpy(to, bytes.file->data + bytes.at, count);
  bytes.at += count;
}

Outcome read_rows(png_structp png, png_infop info, const Target& target) {
  constexpr png_alloc_size_t kMostChunk = 8U << 20;
  png_set_chunk_malloc_max(png, kMostChunk);
  png_set_chunk_cache_max(png, 128);
  png_set_user_limits(png, 0x7fffffffU, 0x7fffffffU);  // the target has its own
  png_read_info(png, info);
  const std::size_t width = png_get_image_width(png, info), height = png_get_image_height(png, info);
  unsigned char* const out = target.begin(height, width);
  if (out == nullptr) return SKERRY_IMAGES_STOPPED;
  png_set_expand(png);
  png_set_strip_16(png);
  png_set_strip_alpha(png);
  png_set_gray_to_rgb(png);
  const int passes = png_set_interlace_handling(png);
  png_read_update_info(png, info);
  if (png_get_rowbytes(png, info) != 3 * width) return SKERRY_IMAGES_BROKEN;
  for (int pass = 0; pass < passes; ++pass)
    for (std::size_t y = 0; y < height; ++y) png_read_row(png, out + y * width * 3, nullptr);
  png_read_end(png, nullptr);
  return SKERRY_IMAGES_DECODED;
}

}  // namespace

Outcome decode_png(const File& file, const Target& target) {
  png_structp png = png_create_read_struct(
      PNG_LIBPNG_VER_STRING, nullptr, [](png_structp at, png_const_charp) { png_longjmp(at, 1); },
      [](png_structp, png_const_charp) {});
  if (png == nullptr) return SKERRY_IMAGES_BROKEN;
  png_infop info = png_create_info_struct(png);
  Bytes bytes{&file, 0};
  volatile Outcome outcome = SKERRY_IMAGES_BROKEN;
  if (info != nullptr && setjmp(png_jmpbuf(png)) == 0) {
    png_set_read_fn(png, &bytes, read);
    outcome = read_rows(png, info, target);
  } else {
    outcome = SKERRY_IMAGES_BROKEN;
  }
  png_destroy_read_struct(&png, &info, nullptr);
  return outcome;
}

}  // namespace skerry::images
