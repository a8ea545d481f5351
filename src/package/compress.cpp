#include "package/compress.hpp"

#include <zstd.h>

#include <algorithm>
#include <memory>
#include <skerry/error.hpp>
#include <string>

namespace skerry::package {
namespace {

struct FreeContext {
  void operator()(ZSTD_CCtx* context) const noexcept { ZSTD_freeCCtx(context); }
};

std::size_t checked(std::size_t result) {
  if (ZSTD_isError(result) != 0) {
    throw Error(ErrorCode::internal, std::string("zstd could not compress: ") + ZSTD_getErrorName(result));
  }
  return result;
}

/// One frame, fed piecewise.
class Frame {
 public:
  Frame(std::uint64_t bytes, int level) : context_(ZSTD_createCCtx()), chunk_(ZSTD_CStreamOutSize()) {
    if (!context_) throw Error(ErrorCode::budget_exceeded, "the system refused memory to compress with");
    checked(ZSTD_CCtx_setParameter(context_.get(), ZSTD_c_compressionLevel, level));
    checked(ZSTD_CCtx_setPledgedSrcSize(context_.get(), bytes));
  }
  void add(std::span<const std::byte> bytes) { feed(bytes, ZSTD_e_continue); }
  std::vector<std::byte> finish() {
    feed({}, ZSTD_e_end);
    return std::move(packed_);
  }

 private:
  void feed(std::span<const std::byte> bytes, ZSTD_EndDirective directive) {
    ZSTD_inBuffer in{bytes.data(), bytes.size(), 0};
    std::size_t waiting = 0;
    do {
      ZSTD_outBuffer out{chunk_.data(), chunk_.size(), 0};
      waiting = checked(ZSTD_compressStream2(context_.get(), &out, &in, directive));
      packed_.insert(packed_.end(), chunk_.begin(), chunk_.begin() + static_cast<std::ptrdiff_t>(out.pos));
    } while (in.pos < in.size || (directive == ZSTD_e_end && waiting != 0));
  }

  std::unique_ptr<ZSTD_CCtx, FreeContext> context_;
  std::vector<std::byte> chunk_, packed_;
};

void add_planes(Frame& frame, const Piece& piece, std::vector<std::byte>& scratch) {
  scratch.resize(std::min(piece.bytes.size(), kPlaneBlockBytes));
  for (std::size_t begin = 0; begin < piece.bytes.size(); begin += kPlaneBlockBytes) {
    const auto block = piece.bytes.subspan(begin, std::min(kPlaneBlockBytes, piece.bytes.size() - begin));
    const auto planes = std::span(scratch).first(block.size());
    split_planes(block, piece.width, planes);
    frame.add(planes);
  }
}

}  // namespace

std::vector<PlaneRegion> plane_regions(std::span<const Piece> pieces) {
  std::vector<PlaneRegion> regions;
  std::uint64_t offset = 0;
  for (const Piece& piece : pieces) {
    if (piece.width > 1 && !piece.bytes.empty()) regions.push_back({offset, piece.bytes.size(), piece.width});
    offset += piece.bytes.size();
  }
  return regions;
}

std::vector<std::byte> compress(std::span<const Piece> pieces, int level) {
  if (level < 1 || level > 19) {
    throw Error(ErrorCode::invalid_argument, "compression level " + std::to_string(level) + " is not between 1 and 19",
                "compression_level");
  }
  std::uint64_t bytes = 0;
  for (const Piece& piece : pieces) bytes += piece.bytes.size();
  Frame frame(bytes, level);
  std::vector<std::byte> scratch;
  for (const Piece& piece : pieces) {
    if (piece.width > 1) {
      add_planes(frame, piece, scratch);
    } else {
      frame.add(piece.bytes);
    }
  }
  return frame.finish();
}

}  // namespace skerry::package
