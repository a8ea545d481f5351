// Windows' bitmaps by their headers' description: uncompressed rows of 1, 4, 8, 16, 24 and 32 bits, and run lengths.
#include <algorithm>
#include <bit>

#include "kernels/images/plugin/formats.hpp"

namespace skerry::images {
namespace {

constexpr std::size_t kFileHeader = 14;
enum Compression : std::uint32_t { kPlain = 0, kRuns8 = 1, kRuns4 = 2, kFields = 3, kFieldsAlpha = 6 };

struct Reader {
  const File& file;
  std::uint32_t whole(std::size_t at, std::size_t bytes) const {
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < bytes; ++i)
      value |= std::uint32_t{at + i < file.size ? file.data[at + i] : 0U} << (8 * i);
    return value;
  }
};

struct Bitmap {
  std::uint64_t width = 0, height = 0;
  bool from_top = false;
  std::uint32_t bits = 0, compression = kPlain;
  std::size_t pixels = 0;                          ///< where they begin
  std::size_t palette = 0, colours = 0, step = 4;  ///< of the palette: place, entries, bytes of one
  std::uint32_t masks[3] = {};
};

bool read_header(const Reader& in, Bitmap& map) {
  const std::uint32_t size = in.whole(kFileHeader, 4);
  map.pixels = in.whole(10, 4);
  if (size == 12) {  // the first form
    map.width = in.whole(18, 2), map.height = in.whole(20, 2), map.bits = in.whole(24, 2), map.step = 3;
  } else if (size >= 40 && size <= 1024) {
    const auto width = static_cast<std::int32_t>(in.whole(18, 4)), height = static_cast<std::int32_t>(in.whole(22, 4));
    if (width <= 0 || height == 0) return false;
    map.width = static_cast<std::uint64_t>(width);
    map.from_top = height < 0;
    map.height = static_cast<std::uint64_t>(height < 0 ? -std::int64_t{height} : std::int64_t{height});
    map.bits = in.whole(28, 2), map.compression = in.whole(30, 4), map.colours = in.whole(46, 4);
  } else {
    return false;
  }
  map.palette = kFileHeader + size;
  const bool fields = map.compression == kFields || map.compression == kFieldsAlpha;
  for (std::size_t i = 0; i < 3; ++i) {
    if (fields)
      map.masks[i] = in.whole(kFileHeader + 40 + 4 * i, 4);
    else if (map.bits == 16)
      map.masks[i] = 0x1fU << (10 - 5 * i);
    else
      map.masks[i] = 0xffU << (16 - 8 * i);
  }
  const std::size_t most = map.bits <= 8 ? std::size_t{1} << map.bits : 0;
  if (map.colours == 0 || map.colours > most) map.colours = most;
  const bool indexed = map.bits == 1 || map.bits == 4 || map.bits == 8;
  if (map.compression == kRuns8) return map.bits == 8;
  if (map.compression == kRuns4) return map.bits == 4;
  if (fields) return map.bits == 16 || map.bits == 32;
  return map.compression == kPlain && (indexed || map.bits == 16 || map.bits == 24 || map.bits == 32);
}

void colour(const Reader& in, const Bitmap& map, std::uint32_t index, unsigned char* pixel) {
  for (std::size_t c = 0; c < 3; ++c)
    pixel[c] =
        index < map.colours ? static_cast<unsigned char>(in.whole(map.palette + index * map.step + 2 - c, 1)) : 0;
}

void masked(const Bitmap& map, std::uint32_t word, unsigned char* pixel) {
  for (std::size_t c = 0; c < 3; ++c) {
    const std::uint32_t mask = map.masks[c];
    const int low = mask == 0 ? 0 : std::countr_zero(mask);
    pixel[c] = mask == 0 ? 0 : to_byte((word & mask) >> low, mask >> low);
  }
}

Outcome read_rows(const Reader& in, const Bitmap& map, unsigned char* out) {
  const std::uint64_t stride = (map.width * map.bits + 31) / 32 * 4;
  if (map.pixels > in.file.size || stride * map.height > in.file.size - map.pixels) return SKERRY_IMAGES_BROKEN;
  for (std::uint64_t y = 0; y < map.height; ++y) {
    const std::size_t row = map.pixels + (map.from_top ? y : map.height - 1 - y) * stride;
    for (std::uint64_t x = 0; x < map.width; ++x) {
      unsigned char* pixel = out + (y * map.width + x) * 3;
      if (map.bits <= 8) {
        const std::uint32_t byte = in.file.data[row + x * map.bits / 8];
        const std::uint64_t shift = 8 - map.bits - x * map.bits % 8;
        colour(in, map, (byte >> shift) & ((1U << map.bits) - 1), pixel);
      } else {
        const std::size_t bytes = map.bits / 8;
        masked(map, in.whole(row + x * bytes, bytes), pixel);
      }
    }
  }
  return SKERRY_IMAGES_DECODED;
}

// Pairs (count, colour), or 0 and what to do: end a row, end the image, move on, or so many colours as they are.
Outcome read_runs(const Reader& in, const Bitmap& map, unsigned char* out) {
  std::size_t at = map.pixels;
  std::uint64_t x = 0, y = 0;
  const auto put = [&](std::uint32_t index) {
    if (x >= map.width || y >= map.height) return;
    colour(in, map, index, out + ((map.from_top ? y : map.height - 1 - y) * map.width + x++) * 3);
  };
  for (std::uint64_t i = 0; i < map.width * map.height; ++i) colour(in, map, 0, out + 3 * i);
  while (at + 2 <= in.file.size) {
    const std::uint32_t count = in.file.data[at], what = in.file.data[at + 1];
    at += 2;
    const auto index_of = [&](std::uint32_t byte, std::uint32_t i) {
      return map.bits == 8 ? byte : i % 2 == 0 ? byte >> 4 : byte & 15U;
    };
    if (count > 0) {
      for (std::uint32_t i = 0; i < count; ++i) put(index_of(what, i));
    } else if (what == 0) {
      x = 0, ++y;
    } else if (what == 1) {
      return SKERRY_IMAGES_DECODED;
    } else if (what == 2) {
      x += in.whole(at, 1), y += in.whole(at + 1, 1), at += 2;
    } else {
      for (std::uint32_t i = 0; i < what; ++i) put(index_of(in.whole(at + (map.bits == 8 ? i : i / 2), 1), i));
      at += ((map.bits == 8 ? what : (what + 1) / 2) + 1) / 2 * 2;
    }
  }
  return SKERRY_IMAGES_BROKEN;
}

}  // namespace

Outcome decode_bmp(const File& file, const Target& target) {
  const Reader in{file};
  Bitmap map;
  if (file.size < kFileHeader + 12 || !read_header(in, map)) return SKERRY_IMAGES_BROKEN;
  unsigned char* const out = target.begin(map.height, map.width);
  if (out == nullptr) return map.height == 0 || map.width == 0 ? SKERRY_IMAGES_BROKEN : SKERRY_IMAGES_STOPPED;
  return map.compression == kRuns8 || map.compression == kRuns4 ? read_runs(in, map, out) : read_rows(in, map, out);
}

}  // namespace skerry::images
