/// \file
/// JSON Web Tokens (RFC 7519) of others' identity providers, checked against keys that lie in a file.
#pragma once

#include <chrono>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "serve/auth.hpp"

namespace skerry::serve {

struct TokenOptions {
  std::filesystem::path key_file;  ///< a JSON Web Key Set (RFC 7517); empty: no tokens are taken
  std::string issuer;              ///< that `iss` must name; empty: any
  std::string audience;            ///< that `aud` must hold; empty: only tokens without an audience
};

/// The keys of one set: Ed25519 (EdDSA), P-256 (ES256), RSA of 2048 bits or more (RS256), secrets of 32 bytes or more
/// (HS256). Each key is good for its own algorithm alone, whatever a token's header asks for. Immutable; from any
/// thread.
class TokenKeys {
 public:
  using Clock = std::chrono::system_clock;

  /// Errors: not_found, io_error, syntax_error; invalid_argument naming the key, or that the set has none that is
  /// known.
  explicit TokenKeys(TokenOptions options);
  ~TokenKeys();
  TokenKeys(const TokenKeys&) = delete;
  TokenKeys& operator=(const TokenKeys&) = delete;

  /// Whom a token names: `jwt:` and its `sub`, with the roles in `roles` (a list) and `scope` (words), `models` (a
  /// list) and `tenant`; what is no role belongs to other services. `exp` must be there; clocks may differ by 30
  /// seconds. Errors: permission_denied with the reason; what a token claims is told only once its signature is known
  /// to be good.
  Principal principal(std::string_view token, Clock::time_point now = Clock::now()) const;

  /// Whether a credential is a token and no API key.
  static bool looks_like(std::string_view credential) noexcept;

 private:
  struct Key;
  TokenOptions options_;
  std::vector<Key> keys_;
};

}  // namespace skerry::serve
