#include "package/format.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <skerry/error.hpp>

namespace skerry::package {
namespace {

static_assert(std::endian::native == std::endian::little,
              "sections are used in place, so a machine with another byte order needs a reader that swaps");

// As in PNG: a byte that is not text, the name, then what a transfer in text mode would change.
constexpr std::array<unsigned char, 8> kMagic = {0x89, 'S', 'K', 'R', 'Y', '\r', '\n', 0x1a};

// Offsets of the fields; FORMAT.md has the same table.
constexpr std::size_t kVersionAt = 8;
constexpr std::size_t kFeaturesAt = 12;
constexpr std::size_t kFileBytesAt = 16;
constexpr std::size_t kIndexBytesAt = 24;
constexpr std::size_t kIndexShaAt = 32;
constexpr std::size_t kSignerAt = 64;
constexpr std::size_t kSignatureAt = 96;
constexpr std::size_t kReservedAt = 160;

template <class T>
T load(std::span<const std::byte> bytes, std::size_t offset) {
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof(T));
  return value;
}

template <class T>
void store(std::span<std::byte> bytes, std::size_t offset, const T& value) {
  std::memcpy(bytes.data() + offset, &value, sizeof(T));
}

[[noreturn]] void damaged(std::string message) {
  throw Error(ErrorCode::corrupt, std::move(message), "header");
}

void check_version(std::uint32_t version, std::uint32_t features) {
  if (version == 0) damaged("format version 0 does not exist");
  if (version > kFormatVersion) {
    throw Error(ErrorCode::version_too_new,
                "the package has format version " + std::to_string(version) + ", this program reads up to version " +
                    std::to_string(kFormatVersion),
                "header", "update this program, or save the package with an older one");
  }
  if ((features & ~kKnownFeatures) != 0) {
    throw Error(ErrorCode::version_too_new,
                "the package needs features " + std::to_string(features) + ", this program knows " +
                    std::to_string(kKnownFeatures),
                "header", "update this program");
  }
}

void check_sizes(const Header& header, std::uint64_t file_bytes) {
  if (header.file_bytes != file_bytes) {
    damaged("the file has " + std::to_string(file_bytes) + " bytes but says " + std::to_string(header.file_bytes));
  }
  if (header.index_bytes > kMaxIndexBytes || header.index_bytes > file_bytes - kHeaderBytes) {
    damaged("an index of " + std::to_string(header.index_bytes) + " bytes does not fit");
  }
}

}  // namespace

bool is_package(std::span<const std::byte> bytes) noexcept {
  return bytes.size() >= kMagic.size() && std::memcmp(bytes.data(), kMagic.data(), kMagic.size()) == 0;
}

bool all_zero(std::span<const std::byte> bytes) noexcept {
  return std::ranges::all_of(bytes, [](std::byte b) { return b == std::byte{0}; });
}

std::array<std::byte, kHeaderBytes> header_bytes(const Header& header) {
  std::array<std::byte, kHeaderBytes> bytes{};
  store(bytes, 0, kMagic);
  store(bytes, kVersionAt, kFormatVersion);
  store(bytes, kFeaturesAt, header.features);
  store(bytes, kFileBytesAt, header.file_bytes);
  store(bytes, kIndexBytesAt, header.index_bytes);
  store(bytes, kIndexShaAt, header.index_sha256);
  store(bytes, kSignerAt, header.signer);
  store(bytes, kSignatureAt, header.signature);
  return bytes;
}

Header parse_header(std::span<const std::byte> file) {
  if (!is_package(file)) damaged("the file does not begin like a package");
  if (file.size() < kHeaderBytes) {
    damaged("the file ends after " + std::to_string(file.size()) + " bytes, within its header of " +
            std::to_string(kHeaderBytes));
  }
  check_version(load<std::uint32_t>(file, kVersionAt), load<std::uint32_t>(file, kFeaturesAt));
  Header header;
  header.features = load<std::uint32_t>(file, kFeaturesAt);
  header.file_bytes = load<std::uint64_t>(file, kFileBytesAt);
  header.index_bytes = load<std::uint64_t>(file, kIndexBytesAt);
  header.index_sha256 = load<Digest>(file, kIndexShaAt);
  header.signer = load<PublicKey>(file, kSignerAt);
  header.signature = load<std::array<std::byte, 64>>(file, kSignatureAt);
  check_sizes(header, file.size());
  if (!all_zero(file.subspan(kReservedAt, kHeaderBytes - kReservedAt))) damaged("reserved bytes are not zero");
  if (!header.is_signed() && !all_zero(header.signature)) damaged("there is a signature but no signer");
  return header;
}

}  // namespace skerry::package
