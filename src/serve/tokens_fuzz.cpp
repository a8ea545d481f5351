// Tokens as they come, and header and claims (two lines) signed by a key of the set, so that claims are read too.
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <sodium.h>

#include <array>
#include <cstdint>
#include <fstream>
#include <skerry/error.hpp>
#include <string>

#include "base/temporary_folder.hpp"
#include "serve/tokens.hpp"

namespace {

constexpr std::string_view kSecret = "0123456789abcdef0123456789abcdef";

std::string encoded(std::string_view bytes) {
  constexpr int kVariant = sodium_base64_VARIANT_URLSAFE_NO_PADDING;
  std::string text(sodium_base64_encoded_len(bytes.size(), kVariant), '\0');
  sodium_bin2base64(text.data(), text.size(), reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(),
                    kVariant);
  text.pop_back();  // the terminating zero
  return text;
}

std::string signed_token(std::string_view header, std::string_view claims) {
  const std::string text = encoded(header) + "." + encoded(claims);
  std::array<unsigned char, 32> code{};
  unsigned size = 0;
  HMAC(EVP_sha256(), kSecret.data(), static_cast<int>(kSecret.size()),
       reinterpret_cast<const unsigned char*>(text.data()), text.size(), code.data(), &size);
  return text + "." + encoded({reinterpret_cast<const char*>(code.data()), size});
}

const skerry::serve::TokenKeys& keys() {
  static const skerry::base::TemporaryFolder kFolder;
  static const skerry::serve::TokenKeys kKeys = [] {
    const auto file = kFolder.path() / "set.json";
    std::ofstream(file) << R"({"keys": [{"kty": "oct", "k": ")" << encoded(kSecret) << R"("}]})";
    return skerry::serve::TokenKeys({.key_file = file, .issuer = {}, .audience = "skerry"});
  }();
  return kKeys;
}

void ask(const std::string& token) {
  try {
    keys().principal(token, std::chrono::system_clock::time_point{});
  } catch (const skerry::Error& error) {
    if (error.code() != skerry::ErrorCode::permission_denied) __builtin_trap();
  }
}

}  // namespace

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer calls it so
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  ask(text);
  const std::size_t line = std::min(text.find('\n'), text.size());
  ask(signed_token(text.substr(0, line), text.substr(std::min(line + 1, text.size()))));
  return 0;
}
