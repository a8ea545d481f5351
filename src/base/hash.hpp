/// \file
/// A fast hash for caches and fingerprints. Not for security: packages use SHA-256.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace skerry::base {

/// XXH3-128 of some bytes; the same on every machine.
struct Hash128 {
  std::uint64_t high = 0, low = 0;

  /// 32 lower-case hex digits, the most significant first, as `xxhsum -H2` prints.
  std::string hex() const;
  friend auto operator<=>(const Hash128&, const Hash128&) = default;
};

Hash128 hash128(std::span<const std::byte> bytes) noexcept;

}  // namespace skerry::base
