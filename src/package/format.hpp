/// \file
/// The fixed part of a package: magic, header, alignment and limits. FORMAT.md says the same in prose.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "package/digest.hpp"
#include "package/package.hpp"

namespace skerry::package {

inline constexpr std::uint32_t kFormatVersion = 1;
inline constexpr std::uint64_t kHeaderBytes = 192;
inline constexpr std::uint64_t kSignedBytes = 96;  ///< of the header: what a signature covers
inline constexpr std::uint64_t kSectionAlignment = 64;
inline constexpr std::uint64_t kPageAlignment = 4096;  ///< of plain sections that are worth mapping or pinning alone
inline constexpr std::uint64_t kPageAlignedFrom = std::uint64_t{64} << 10;
inline constexpr std::uint64_t kMaxGapBytes = kPageAlignment - 1;

inline constexpr std::uint32_t kFeatureZstd = 1;   ///< some section is zstd
inline constexpr std::uint32_t kFeatureWraps = 2;  ///< some value of a graph is no tensor
inline constexpr std::uint32_t kKnownFeatures = kFeatureZstd | kFeatureWraps;

// Limits that a writer keeps and a reader enforces. FlatBuffers address less than 2^31 bytes.
inline constexpr std::uint64_t kMaxIndexBytes = std::uint64_t{64} << 20;
inline constexpr std::uint32_t kMaxSections = 4096;
inline constexpr std::uint64_t kMaxProgramBytes = 0x7fff'0000;
inline constexpr std::uint32_t kMaxWires = std::uint32_t{1} << 24;  ///< and bits
inline constexpr std::uint32_t kMaxMatrixWires = 10;
inline constexpr int kMaxNesting = 256;  ///< graphs within graphs

inline constexpr const char* kIndexIdentifier = "SKIX";
inline constexpr std::string_view kCircuitSection = "circuit";
inline constexpr std::string_view kGraphSection = "graph";
inline constexpr std::string_view kWeightsSection = "weights";
inline constexpr std::string_view kPlanPrefix = "plan/";

/// How a section's bytes are stored; the number is in the file.
enum class Encoding : std::uint8_t { plain = 0, zstd = 1 };

/// The first kHeaderBytes of a file. An unsigned package has a zero signer and a zero signature.
struct Header {
  std::uint32_t features = 0;
  std::uint64_t file_bytes = 0;
  std::uint64_t index_bytes = 0;
  Digest index_sha256{};
  PublicKey signer{};
  std::array<std::byte, 64> signature{};

  bool is_signed() const noexcept { return signer != PublicKey{}; }
};

/// The header's bytes, little-endian.
std::array<std::byte, kHeaderBytes> header_bytes(const Header& header);

/// Reads and checks the header of `file`: sizes against the file's own, and zeros where zeros must be. Hashes and the
/// signature are not checked. Errors: corrupt; version_too_new for a newer version or a feature that is not known.
Header parse_header(std::span<const std::byte> file);

/// The least multiple of `alignment` that is not below `offset`.
constexpr std::uint64_t aligned(std::uint64_t offset, std::uint64_t alignment) noexcept {
  return (offset + alignment - 1) / alignment * alignment;
}

constexpr std::uint64_t section_alignment(Encoding encoding, std::uint64_t stored_bytes) noexcept {
  const bool is_large = encoding == Encoding::plain && stored_bytes >= kPageAlignedFrom;
  return is_large ? kPageAlignment : kSectionAlignment;
}

bool all_zero(std::span<const std::byte> bytes) noexcept;

}  // namespace skerry::package
