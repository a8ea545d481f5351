#include <openjpeg.h>

#include <algorithm>

#include "kernels/images/plugin/formats.hpp"

namespace skerry::images {
namespace {

struct Bytes {
  const File* file;
  std::size_t at;
};

OPJ_SIZE_T read(void* to, OPJ_SIZE_T count, void* user) {
  auto& bytes = *static_cast<Bytes*>(user);
  const std::size_t given = std::min(count, bytes.file->size - bytes.at);
  if (given == 0) return static_cast<OPJ_SIZE_T>(-1);
  std::memcpy(to, bytes.file->data + bytes.at, given);
  bytes.at += given;
  return given;
}

OPJ_OFF_T skip(OPJ_OFF_T count, void* user) {
  auto& bytes = *static_cast<Bytes*>(user);
  if (count < 0) return -1;
  const std::size_t given = std::min(static_cast<std::size_t>(count), bytes.file->size - bytes.at);
  bytes.at += given;
  return static_cast<OPJ_OFF_T>(given);
}

OPJ_BOOL seek(OPJ_OFF_T place, void* user) {
  auto& bytes = *static_cast<Bytes*>(user);
  if (place < 0 || static_cast<std::size_t>(place) > bytes.file->size) return OPJ_FALSE;
  bytes.at = static_cast<std::size_t>(place);
  return OPJ_TRUE;
}

// Sample of a component, which may be coarser than the image, as a byte.
unsigned char sample(const opj_image_comp_t& part, std::size_t y, std::size_t x, std::size_t height,
                     std::size_t width) {
  const std::size_t row = std::min<std::size_t>(y * part.h / height, part.h - 1);
  const std::size_t column = std::min<std::size_t>(x * part.w / width, part.w - 1);
  const std::int64_t offset = part.sgnd != 0 ? std::int64_t{1} << (part.prec - 1) : 0;
  const std::int64_t value = std::max<std::int64_t>(part.data[row * part.w + column] + offset, 0);
  return part.prec >= 8 ? static_cast<unsigned char>(std::min<std::int64_t>(value >> (part.prec - 8), 255))
                        : static_cast<unsigned char>(std::min<std::int64_t>(value << (8 - part.prec), 255));
}

unsigned char clamped(double value) {
  return static_cast<unsigned char>(std::clamp(value + 0.5, 0.0, 255.0));
}

// ITU-R BT.601, as JPEG has it.
void from_ycc(unsigned char* pixel) {
  const double y = pixel[0], cb = pixel[1] - 128.0, cr = pixel[2] - 128.0;
  pixel[0] = clamped(y + 1.402 * cr);
  pixel[1] = clamped(y - 0.344136 * cb - 0.714136 * cr);
  pixel[2] = clamped(y + 1.772 * cb);
}

bool is_sound(const opj_image_t& image, bool decoded) {
  constexpr OPJ_UINT32 kMostParts = 4, kMostBits = 31;
  bool sound = image.numcomps >= 1 && image.numcomps <= kMostParts && image.x1 > image.x0 && image.y1 > image.y0;
  for (OPJ_UINT32 i = 0; sound && i < image.numcomps; ++i) {
    const opj_image_comp_t& part = image.comps[i];
    sound = part.w > 0 && part.h > 0 && part.prec > 0 && part.prec <= kMostBits && (!decoded || part.data != nullptr);
  }
  return sound;
}

void write(const opj_image_t& image, std::size_t height, std::size_t width, unsigned char* out) {
  const bool coloured = image.numcomps >= 3;
  for (std::size_t y = 0; y < height; ++y) {
    for (std::size_t x = 0; x < width; ++x) {
      unsigned char* pixel = out + (y * width + x) * 3;
      for (std::size_t c = 0; c < 3; ++c) pixel[c] = sample(image.comps[coloured ? c : 0], y, x, height, width);
      if (coloured && image.color_space == OPJ_CLRSPC_SYCC) from_ycc(pixel);
    }
  }
}

Outcome read_image(opj_codec_t* codec, opj_stream_t* stream, opj_image_t** image, const Target& target) {
  opj_dparameters_t parameters;
  opj_set_default_decoder_parameters(&parameters);
  if (opj_setup_decoder(codec, &parameters) == 0 || opj_read_header(stream, codec, image) == 0 ||
      !is_sound(**image, false))
    return SKERRY_IMAGES_BROKEN;
  const std::size_t width = (*image)->x1 - (*image)->x0, height = (*image)->y1 - (*image)->y0;
  unsigned char* const out = target.begin(height, width);
  if (out == nullptr) return SKERRY_IMAGES_STOPPED;
  if (opj_decode(codec, stream, *image) == 0 || opj_end_decompress(codec, stream) == 0 || !is_sound(**image, true))
    return SKERRY_IMAGES_BROKEN;
  write(**image, height, width, out);
  return SKERRY_IMAGES_DECODED;
}

}  // namespace

Outcome decode_jpeg2000(const File& file, const Target& target) {
  const bool boxed = file.has(4, "jP  ");
  Bytes bytes{&file, 0};
  opj_codec_t* codec = opj_create_decompress(boxed ? OPJ_CODEC_JP2 : OPJ_CODEC_J2K);
  opj_stream_t* stream = opj_stream_default_create(OPJ_TRUE);
  opj_image_t* image = nullptr;
  Outcome outcome = SKERRY_IMAGES_BROKEN;
  if (codec != nullptr && stream != nullptr) {
    opj_stream_set_user_data(stream, &bytes, nullptr);
    opj_stream_set_user_data_length(stream, file.size);
    opj_stream_set_read_function(stream, read);
    opj_stream_set_skip_function(stream, skip);
    opj_stream_set_seek_function(stream, seek);
    outcome = read_image(codec, stream, &image, target);
  }
  opj_image_destroy(image);
  opj_stream_destroy(stream);
  opj_destroy_codec(codec);
  return outcome;
}

}  // namespace skerry::images
