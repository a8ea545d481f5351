/// \file
/// SHA-256 of sections, and Ed25519 over headers.
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string>

#include "package/package.hpp"

namespace skerry::package {

inline constexpr std::size_t kDigestBytes = 32;
using Digest = std::array<std::byte, kDigestBytes>;

/// SHA-256 of the pieces, one after the other.
Digest sha256(std::span<const std::span<const std::byte>> pieces);
Digest sha256(std::span<const std::byte> bytes);

/// Lower-case hex digits.
std::string hex(std::span<const std::byte> bytes);

/// The public half of a secret key. Errors: invalid_argument when the key's two halves do not belong together, because
/// signing with such a key gives its seed away.
PublicKey public_half(const SecretKey& key);

/// Ed25519 (RFC 8032). Precondition: public_half(key) did not throw.
std::array<std::byte, 64> sign(std::span<const std::byte> message, const SecretKey& key);
bool is_signed_by(std::span<const std::byte> message, const std::array<std::byte, 64>& signature,
                  const PublicKey& signer);

}  // namespace skerry::package
