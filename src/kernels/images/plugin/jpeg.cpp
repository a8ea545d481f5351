#include <csetjmp>
#include <cstdio>
// after <cstdio>
#include <jpeglib.h>
// after <jpeglib.h>
#include <jerror.h>

#include "kernels/images/plugin/formats.hpp"

namespace skerry::images {
namespace {

// A progressive file may repeat its scans for ever.
constexpr int kMostScans = 200;

struct Failure {
  jpeg_error_mgr base;
  std::jmp_buf back;
};

[[noreturn]] void fail(j_common_ptr info) {
  std::longjmp(reinterpret_cast<Failure*>(info->err)->back, 1);
}

// Oddities are passed over, an end that is missing is not.
void warn(j_common_ptr info, int level) {
  if (level < 0 && info->err->msg_code == JWRN_JPEG_EOF) fail(info);
}

void count_scans(j_common_ptr info) {
  if (reinterpret_cast<j_decompress_ptr>(info)->input_scan_number > kMostScans) fail(info);
}

// Inks as Adobe writes them, 255 for none.
void to_rgb(unsigned char* row, const unsigned char* inks, std::size_t width, bool inverted) {
  for (std::size_t x = 0; x < width; ++x) {
    const auto light = [&](std::size_t ink) { return inverted ? inks[4 * x + ink] : 255 - inks[4 * x + ink]; };
    for (std::size_t c = 0; c < 3; ++c)
      row[3 * x + c] = to_byte(static_cast<std::uint32_t>(light(c) * light(3)), 255 * 255);
  }
}

Outcome read(jpeg_decompress_struct& info, const File& file, const Target& target) {
  jpeg_create_decompress(&info);
  jpeg_mem_src(&info, file.data, file.size);
  jpeg_read_header(&info, TRUE);
  const bool inks = info.jpeg_color_space == JCS_CMYK || info.jpeg_color_space == JCS_YCCK;
  info.out_color_space = inks ? JCS_CMYK : JCS_RGB;
  unsigned char* out = target.begin(info.image_height, info.image_width);
  if (out == nullptr) return SKERRY_IMAGES_STOPPED;
  jpeg_start_decompress(&info);
  const std::size_t width = info.output_width;
  JSAMPARRAY spare = inks ? (*info.mem->alloc_sarray)(reinterpret_cast<j_common_ptr>(&info), JPOOL_IMAGE,
                                                      static_cast<JDIMENSION>(4 * width), 1)
                          : nullptr;
  while (info.output_scanline < info.output_height) {
    unsigned char* row = out + info.output_scanline * width * 3;
    jpeg_read_scanlines(&info, inks ? spare : &row, 1);
    if (inks) to_rgb(row, spare[0], width, info.saw_Adobe_marker != 0);
  }
  jpeg_finish_decompress(&info);
  return SKERRY_IMAGES_DECODED;
}

}  // namespace

Outcome decode_jpeg(const File& file, const Target& target) {
  jpeg_decompress_struct info{};
  Failure failure;
  jpeg_progress_mgr progress{};
  info.err = jpeg_std_error(&failure.base);
  failure.base.error_exit = fail;
  failure.base.emit_message = warn;
  failure.base.output_message = [](j_common_ptr) {};
  progress.progress_monitor = count_scans;
  volatile Outcome outcome = SKERRY_IMAGES_BROKEN;
  if (setjmp(failure.back) == 0) {
    info.progress = &progress;
    outcome = read(info, file, target);
  } else {
    outcome = SKERRY_IMAGES_BROKEN;
  }
  jpeg_destroy_decompress(&info);
  return outcome;
}

}  // namespace skerry::images
