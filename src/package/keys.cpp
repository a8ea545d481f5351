#include "package/keys.hpp"

#include <fcntl.h>
#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <skerry/error.hpp>
#include <span>
#include <system_error>

#include "base/file.hpp"
#include "package/digest.hpp"

namespace skerry::package {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kSecretHeader = "skerry secret key ed25519\n";
constexpr std::string_view kPublicHeader = "skerry public key ed25519\n";
constexpr std::uint64_t kMaxKeyFileBytes = 4096;

/// Text of a secret key; wiped when it goes.
struct WipedText {
  std::string text;
  explicit WipedText(std::string value) : text(std::move(value)) {}
  WipedText(const WipedText&) = delete;
  WipedText& operator=(const WipedText&) = delete;
  ~WipedText() { sodium_memzero(text.data(), text.size()); }
};

std::string key_text(std::string_view header, std::span<const std::byte> key) {
  std::string text(header);
  const std::size_t start = text.size();
  text.resize(start + sodium_base64_ENCODED_LEN(key.size(), sodium_base64_VARIANT_ORIGINAL));
  sodium_bin2base64(text.data() + start, text.size() - start, reinterpret_cast<const unsigned char*>(key.data()),
                    key.size(), sodium_base64_VARIANT_ORIGINAL);
  text.back() = '\n';  // in the place of the terminating zero
  return text;
}

template <std::size_t N>
std::array<std::byte, N> key_of_text(const std::string& text, std::string_view header, const fs::path& path) {
  std::array<std::byte, N> key;
  const char* end = nullptr;
  std::size_t bytes = 0;
  if (!text.starts_with(header)) {
    throw Error(ErrorCode::syntax_error,
                "the file does not begin with '" + std::string(header.substr(0, header.size() - 1)) + "'",
                path.string() + ":1",
                header == kPublicHeader ? "name the .pub file of a pair made by skerry keys --make"
                                        : "name the .key file of a pair made by skerry keys --make");
  }
  const int status = sodium_base642bin(reinterpret_cast<unsigned char*>(key.data()), N, text.data() + header.size(),
                                       text.size() - header.size(), "\n", &bytes, &end, sodium_base64_VARIANT_ORIGINAL);
  if (status != 0 || bytes != N || end != text.data() + text.size()) {
    throw Error(ErrorCode::syntax_error, "the line is not " + std::to_string(N) + " bytes in base64",
                path.string() + ":2");
  }
  return key;
}

[[noreturn]] void throw_errno(const fs::path& path, const char* doing) {
  const int error = errno;
  throw Error(ErrorCode::io_error, std::string("cannot ") + doing + ": " + std::generic_category().message(error),
              path.string(), error == EEXIST ? "choose another name, or remove the old key first" : "");
}

/// A new file with these permissions from its first moment on; never an existing one.
void create_file(const fs::path& path, std::string_view text, mode_t mode) {
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
  if (file < 0) throw_errno(path, "make the key file");
  const bool is_written =
      ::write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size()) && ::fsync(file) == 0;
  const bool is_closed = ::close(file) == 0;
  if (is_written && is_closed) return;
  const int error = errno;
  ::unlink(path.c_str());
  errno = error;
  throw_errno(path, "write the key file");
}

fs::path with_suffix(const fs::path& stem, const char* suffix) {
  return stem.string() + suffix;
}

}  // namespace

KeyPair make_key_pair() {
  if (sodium_init() < 0) throw Error(ErrorCode::internal, "no random numbers to make a key of");
  KeyPair pair;
  crypto_sign_keypair(reinterpret_cast<unsigned char*>(pair.public_key.data()),
                      reinterpret_cast<unsigned char*>(pair.secret_key.data()));
  return pair;
}

void write_key_pair(const KeyPair& pair, const fs::path& stem) {
  const fs::path secret_path = with_suffix(stem, ".key");
  const fs::path public_path = with_suffix(stem, ".pub");
  const WipedText secret(key_text(kSecretHeader, pair.secret_key));
  create_file(secret_path, secret.text, S_IRUSR | S_IWUSR);
  try {
    create_file(public_path, key_text(kPublicHeader, pair.public_key), S_IRUSR | S_IWUSR | S_IRGRP | S_IROTH);
  } catch (const Error&) {
    ::unlink(secret_path.c_str());  // it was not there before: O_EXCL made it
    throw;
  }
}

SecretKey read_secret_key(const fs::path& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode) && (status.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
    throw Error(ErrorCode::permission_denied, "others can read or write the secret key", path.string(),
                "run chmod 600 on it");
  }
  const WipedText text(base::read_file(path, kMaxKeyFileBytes));
  const auto key = key_of_text<std::tuple_size_v<SecretKey>>(text.text, kSecretHeader, path);
  try {
    public_half(key);
  } catch (const Error&) {
    throw Error(ErrorCode::syntax_error, "the two halves of the secret key do not belong together", path.string());
  }
  return key;
}

PublicKey read_public_key(const fs::path& path) {
  return key_of_text<std::tuple_size_v<PublicKey>>(base::read_file(path, kMaxKeyFileBytes), kPublicHeader, path);
}

std::string key_name(const PublicKey& key) {
  return hex(sha256(key)).substr(0, 16);
}

}  // namespace skerry::package
