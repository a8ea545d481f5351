#include "serve/auth.hpp"

#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <skerry/error.hpp>
#include <sstream>

#include "base/file.hpp"
#include "package/digest.hpp"

namespace skerry::serve {
namespace {

using Hash = std::array<unsigned char, 32>;
constexpr std::array<std::string_view, 5> kRoles = {"nobody", "read", "infer", "circuits", "admin"};

Hash hash_of(std::string_view text) {
  Hash hash{};
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), hash.data());
  return hash;
}

bool read_hash(std::string_view text, Hash& hash) {
  if (text.size() != 2 * hash.size()) return false;
  for (std::size_t i = 0; i < hash.size(); ++i) {
    const auto [end, error] = std::from_chars(text.data() + 2 * i, text.data() + 2 * i + 2, hash[i], 16);
    if (error != std::errc() || end != text.data() + 2 * i + 2) return false;
  }
  return true;
}

std::vector<std::string> split(const std::string& list) {
  std::vector<std::string> all;
  std::istringstream in(list);
  for (std::string part; std::getline(in, part, ',');) all.push_back(part);
  return all;
}

}  // namespace

Role role_from_name(std::string_view name) {
  const auto found = std::find(kRoles.begin() + 1, kRoles.end(), name);
  if (found == kRoles.end()) {
    throw Error(ErrorCode::invalid_argument, "there is no role '" + std::string(name) + "'", "roles",
                "use read, infer, circuits or admin");
  }
  return static_cast<Role>(found - kRoles.begin());
}

bool Principal::has(Role role) const noexcept {
  return role == Role::nobody ||
         std::any_of(roles.begin(), roles.end(), [role](Role own) { return own == role || own == Role::admin; });
}

bool Principal::may_use(std::string_view model) const noexcept {
  return models.empty() || std::find(models.begin(), models.end(), model) != models.end();
}

KeyRing KeyRing::read(const std::filesystem::path& file) {
  KeyRing ring;
  std::istringstream in(base::read_file(file, 16 << 20));
  int number = 0;
  for (std::string line; std::getline(in, line);) {
    ++number;
    const std::string where = file.string() + ":" + std::to_string(number);
    std::istringstream words(line.substr(0, line.find('#')));
    std::string name, hash, roles, word;
    if (!(words >> name)) continue;
    Key key{};
    key.principal.name = name;
    if (!(words >> hash >> roles) || !read_hash(hash, key.hash)) {
      throw Error(ErrorCode::syntax_error, "a key is a name, the SHA-256 of the key in hex, and its roles", where,
                  "skerry serve --make-key NAME prints such a line");
    }
    for (const std::string& role : split(roles)) {
      try {
        key.principal.roles.push_back(role_from_name(role));
      } catch (const Error& error) {
        throw error.at(where);
      }
    }
    while (words >> word) {
      double rate = 0.0;
      if (word.starts_with("models=")) {
        key.principal.models = split(word.substr(7));
      } else if (word.starts_with("rate=") &&
                 std::from_chars(word.data() + 5, word.data() + word.size(), rate).ptr == word.data() + word.size() &&
                 rate > 0.0) {
        key.principal.requests_per_second = rate;
      } else {
        throw Error(ErrorCode::syntax_error, "'" + word + "' is not understood", where, "use models=A,B or rate=N");
      }
    }
    ring.keys_.push_back(std::move(key));
  }
  return ring;
}

const Principal* KeyRing::find(std::string_view key) const {
  const Hash hash = hash_of(key);
  const Principal* found = nullptr;
  for (const Key& known : keys_) {
    if (CRYPTO_memcmp(known.hash.data(), hash.data(), hash.size()) == 0) found = &known.principal;
  }
  return found;
}

NewKey make_key(std::string_view name, std::string_view roles) {
  std::array<unsigned char, 24> secret{};
  if (RAND_bytes(secret.data(), secret.size()) != 1) throw Error(ErrorCode::internal, "no random bytes for a key");
  NewKey out{"sk-" + package::hex(std::as_bytes(std::span(secret))), {}};
  const Hash hash = hash_of(out.key);
  out.line = std::string(name) + " " + package::hex(std::as_bytes(std::span(hash))) + " " + std::string(roles);
  return out;
}

bool RateLimiter::admit(const std::string& name, double rate) {
  if (rate <= 0.0) return true;
  const std::int64_t now = std::chrono::steady_clock::now().time_since_epoch().count();
  const std::lock_guard lock(mutex_);
  const auto [found, is_new] = buckets_.try_emplace(name, Bucket{std::max(1.0, rate), now});
  Bucket& bucket = found->second;
  bucket.tokens =
      std::min(std::max(1.0, rate), bucket.tokens + static_cast<double>(now - bucket.last_ns) * 1e-9 * rate);
  bucket.last_ns = now;
  if (bucket.tokens < 1.0) return false;
  bucket.tokens -= 1.0;
  return true;
}

}  // namespace skerry::serve
