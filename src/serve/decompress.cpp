#include <zlib.h>

#include <algorithm>
#include <array>
#include <skerry/error.hpp>

#include "serve/service.hpp"

namespace skerry::serve {
namespace {

constexpr std::uint64_t kAlwaysAllowed = 1 << 20;  // however well it was compressed

// One pass over a stream; `take` is given each piece of output.
template <class Take>
void inflate_all(std::string_view bytes, Take&& take) {
  z_stream stream{};
  constexpr int kAnyHeader = 15 + 32;  // gzip or zlib, told by its first bytes
  if (inflateInit2(&stream, kAnyHeader) != Z_OK) throw Error(ErrorCode::internal, "no memory to decompress");
  struct End {
    z_stream* stream;
    ~End() { inflateEnd(stream); }
  } const end{&stream};
  stream.next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  std::array<unsigned char, 16 << 10> piece;  // filled by inflate
  int status = Z_OK;
  while (status != Z_STREAM_END) {
    stream.next_out = piece.data();
    stream.avail_out = static_cast<uInt>(piece.size());
    status = inflate(&stream, Z_NO_FLUSH);
    const std::size_t made = piece.size() - stream.avail_out;
    if ((status != Z_OK && status != Z_STREAM_END) || (made == 0 && status != Z_STREAM_END))
      throw Error(ErrorCode::syntax_error, "the compressed body is damaged or cut off", "body");
    take(std::string_view(reinterpret_cast<const char*>(piece.data()), made));
  }
  if (stream.avail_in != 0) throw Error(ErrorCode::syntax_error, "bytes stand behind the compressed body", "body");
}

}  // namespace

std::string decompressed(std::string_view bytes, std::uint64_t limit) {
  const std::uint64_t most = std::min(limit, std::max<std::uint64_t>(kAlwaysAllowed, kMaxRatio * bytes.size()));
  std::uint64_t size = 0;
  // Counted first: a bomb costs the time of `most` bytes, and no memory.
  inflate_all(bytes, [&](std::string_view piece) {
    size += piece.size();
    if (size > most) {
      throw Error(
          ErrorCode::limit_exceeded,
          "the body of " + std::to_string(bytes.size()) + " bytes decompresses to more than " + std::to_string(most),
          "body");
    }
  });
  std::string out;
  out.reserve(static_cast<std::size_t>(size));
  inflate_all(bytes, [&](std::string_view piece) { out += piece; });
  return out;
}

}  // namespace skerry::serve
