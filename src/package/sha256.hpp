/// \file
/// SHA-256 in the CPU's own instructions.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace skerry::package {

/// Whether the CPU has them.
bool has_sha_instructions() noexcept;

/// A hash under way (FIPS 180-4, section 6.2). Precondition of everything: has_sha_instructions().
class FastSha256 {
 public:
  void update(std::span<const std::byte> bytes) noexcept;
  /// Ends the hash: 32 bytes, the most significant first.
  void finish(std::span<std::byte, 32> digest) noexcept;

 private:
  static constexpr std::size_t kBlock = 64;
  std::array<std::uint32_t, 8> state_{0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                      0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  std::array<std::byte, kBlock> open_{};  ///< the begun block
  std::size_t filled_ = 0;
  std::uint64_t bytes_ = 0;
};

}  // namespace skerry::package
