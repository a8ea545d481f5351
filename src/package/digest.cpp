#include "package/digest.hpp"

#include <sodium.h>

#include <algorithm>
#include <skerry/error.hpp>

#include "package/sha256.hpp"

namespace skerry::package {
namespace {

const unsigned char* raw(std::span<const std::byte> bytes) {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}

unsigned char* raw(std::span<std::byte> bytes) {
  return reinterpret_cast<unsigned char*>(bytes.data());
}

}  // namespace

Digest sha256(std::span<const std::span<const std::byte>> pieces) {
  Digest digest;
  if (has_sha_instructions()) {
    FastSha256 hash;
    for (const auto piece : pieces) hash.update(piece);
    hash.finish(digest);
    return digest;
  }
  crypto_hash_sha256_state state;
  crypto_hash_sha256_init(&state);
  for (const auto piece : pieces) crypto_hash_sha256_update(&state, raw(piece), piece.size());
  crypto_hash_sha256_final(&state, raw(std::span<std::byte>(digest)));
  return digest;
}

Digest sha256(std::span<const std::byte> bytes) {
  return sha256(std::span(&bytes, 1));
}

std::string hex(std::span<const std::byte> bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  text.reserve(bytes.size() * 2);
  for (const std::byte b : bytes) {
    text += kDigits[std::to_integer<unsigned>(b) >> 4U];
    text += kDigits[std::to_integer<unsigned>(b) & 15U];
  }
  return text;
}

PublicKey public_half(const SecretKey& key) {
  std::array<unsigned char, crypto_sign_PUBLICKEYBYTES> from_seed{};
  std::array<unsigned char, crypto_sign_SECRETKEYBYTES> scratch{};
  crypto_sign_seed_keypair(from_seed.data(), scratch.data(), raw(std::span<const std::byte>(key)));
  sodium_memzero(scratch.data(), scratch.size());
  PublicKey result;
  std::ranges::transform(from_seed, result.begin(), [](unsigned char c) { return static_cast<std::byte>(c); });
  if (!std::equal(result.begin(), result.end(), key.begin() + 32)) {
    throw Error(ErrorCode::invalid_argument, "the two halves of the secret key do not belong together", "key",
                "make a new key pair");
  }
  return result;
}

std::array<std::byte, 64> sign(std::span<const std::byte> message, const SecretKey& key) {
  std::array<std::byte, 64> signature;
  crypto_sign_detached(raw(std::span<std::byte>(signature)), nullptr, raw(message), message.size(),
                       raw(std::span<const std::byte>(key)));
  return signature;
}

bool is_signed_by(std::span<const std::byte> message, const std::array<std::byte, 64>& signature,
                  const PublicKey& signer) {
  return crypto_sign_verify_detached(raw(std::span<const std::byte>(signature)), raw(message), message.size(),
                                     raw(std::span<const std::byte>(signer))) == 0;
}

}  // namespace skerry::package
