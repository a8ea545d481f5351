#include "package/unpack.hpp"

#include <zstd.h>

#include <algorithm>
#include <cstring>
#include <skerry/error.hpp>
#include <string>
#include <vector>

namespace skerry::package {
namespace {

// A zstd block holds at most 128 KiB and takes at least 4 bytes (3 of header, 1 to repeat), so nothing honest expands
// more. A file of a kilobyte therefore cannot make us take gigabytes.
constexpr std::uint64_t kMaxExpansion = (std::uint64_t{128} << 10) / 4;

[[noreturn]] void damaged(const std::string& message) {
  throw Error(ErrorCode::corrupt, message);
}

void check_frame(std::span<const std::byte> stored, std::uint64_t bytes) {
  if (bytes / kMaxExpansion > stored.size()) {
    damaged(std::to_string(stored.size()) + " stored bytes cannot hold " + std::to_string(bytes));
  }
  if (ZSTD_findFrameCompressedSize(stored.data(), stored.size()) != stored.size()) {
    damaged("the stored bytes are not one zstd frame");
  }
  const auto content = ZSTD_getFrameContentSize(stored.data(), stored.size());
  if (content != bytes) {
    damaged("the zstd frame does not hold the " + std::to_string(bytes) + " bytes that the index names");
  }
}

void join_region(std::span<std::byte> region, std::size_t width, std::vector<std::byte>& scratch) {
  scratch.resize(std::min(region.size(), kPlaneBlockBytes));
  for (std::size_t begin = 0; begin < region.size(); begin += kPlaneBlockBytes) {
    const auto block = region.subspan(begin, std::min(kPlaneBlockBytes, region.size() - begin));
    std::memcpy(scratch.data(), block.data(), block.size());
    join_planes(std::span(scratch).first(block.size()), width, block);
  }
}

}  // namespace

base::Buffer unpack(std::span<const std::byte> stored, std::uint64_t bytes, std::span<const PlaneRegion> regions) {
  check_frame(stored, bytes);
  base::Buffer buffer = base::Buffer::allocate(bytes, base::MemoryBudget(), "unpacked section");
  const std::size_t got = ZSTD_decompress(buffer.data(), bytes, stored.data(), stored.size());
  if (ZSTD_isError(got) != 0) damaged(std::string("the zstd frame is damaged: ") + ZSTD_getErrorName(got));
  if (got != bytes) damaged("the zstd frame ends early");
  std::vector<std::byte> scratch;
  const std::span<std::byte> all(buffer.data(), bytes);
  for (const PlaneRegion& region : regions) {
    join_region(all.subspan(region.offset, region.bytes), region.width, scratch);
  }
  return buffer;
}

}  // namespace skerry::package
