/// \file
/// Signing keys as files: made, read and named.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "package/package.hpp"

namespace skerry::package {

struct KeyPair {
  PublicKey public_key;
  SecretKey secret_key;
};

KeyPair make_key_pair();
/// `<stem>.key` (mode 0600) and `<stem>.pub`, one line of base64 with a header each. Errors: io_error if either exists.
void write_key_pair(const KeyPair& pair, const std::filesystem::path& stem);
/// Errors: io_error, not_found, syntax_error; permission_denied for a secret key others can read.
SecretKey read_secret_key(const std::filesystem::path& path);
PublicKey read_public_key(const std::filesystem::path& path);
/// Short printable name of a key: first 16 hex digits of its SHA-256.
std::string key_name(const PublicKey& key);

}  // namespace skerry::package
