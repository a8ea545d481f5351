#include "serve/auth.hpp"

#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

#include <algorithm>
#include <charconv>
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

std::optional<Role> known_role(std::string_view name) noexcept {
  const auto found = std::find(kRoles.begin() + 1, kRoles.end(), name);
  if (found == kRoles.end()) return std::nullopt;
  return static_cast<Role>(found - kRoles.begin());
}

Role role_from_name(std::string_view name) {
  if (const auto role = known_role(name)) return *role;
  throw Error(ErrorCode::invalid_argument, "there is no role '" + std::string(name) + "'", "roles",
              "use read, infer, circuits or admin");
}

bool Principal::has(Role role) const noexcept {
  return role == Role::nobody ||
         std::any_of(roles.begin(), roles.end(), [role](Role own) { return own == role || own == Role::admin; });
}

bool Principal::may_use(std::string_view model) const noexcept {
  return models.empty() || std::find(models.begin(), models.end(), model) != models.end();
}

namespace {

template <class T>
bool reads(std::string_view text, T& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size();
}

Tenant read_tenant(std::istringstream& words) {
  Tenant tenant;
  if (!(words >> tenant.name)) throw Error(ErrorCode::syntax_error, "a tenant needs a name");
  for (std::string word; words >> word;) {
    const std::string name = word.substr(0, word.find('='));
    const std::string value = name.size() < word.size() ? word.substr(name.size() + 1) : "";
    const auto meter = std::ranges::find(kMeterNames, name);
    if (meter != kMeterNames.end()) {
      tenant.allowances[static_cast<std::size_t>(meter - kMeterNames.begin())] = allowance_of(value);
    } else if (name != "qubits" || !reads(value, tenant.max_qubits) || tenant.max_qubits == 0) {
      throw Error(ErrorCode::syntax_error, "'" + word + "' is not understood", {},
                  "use requests=, bytes=, shots= or seconds= with N/h, and qubits=N");
    }
  }
  return tenant;
}

Principal read_principal(std::string name, std::istringstream& words, Hash& hash) {
  Principal out{.name = std::move(name)};
  std::string hex, roles;
  if (!(words >> hex >> roles) || !read_hash(hex, hash)) {
    throw Error(ErrorCode::syntax_error, "a key is a name, the SHA-256 of the key in hex, and its roles", {},
                "skerry serve --make-key NAME prints such a line");
  }
  for (const std::string& role : split(roles)) out.roles.push_back(role_from_name(role));
  for (std::string word; words >> word;) {
    if (word.starts_with("models=")) {
      out.models = split(word.substr(7));
    } else if (word.starts_with("tenant=")) {
      out.tenant_name = word.substr(7);
    } else if (!word.starts_with("rate=") || !reads(std::string_view(word).substr(5), out.requests_per_second) ||
               !(out.requests_per_second > 0.0)) {
      throw Error(ErrorCode::syntax_error, "'" + word + "' is not understood", {},
                  "use models=A,B, rate=N or tenant=T");
    }
  }
  return out;
}

}  // namespace

KeyRing KeyRing::read(const std::filesystem::path& file) {
  KeyRing ring;
  std::istringstream in(base::read_file(file, 16 << 20));
  std::vector<std::string> places;
  int number = 0;
  for (std::string line; std::getline(in, line);) {
    const std::string where = file.string() + ":" + std::to_string(++number);
    std::istringstream words(line.substr(0, line.find('#')));
    std::string name;
    if (!(words >> name)) continue;
    try {
      if (name == "tenant") {
        auto tenant = std::make_shared<const Tenant>(read_tenant(words));
        if (!ring.tenants_.emplace(tenant->name, tenant).second)
          throw Error(ErrorCode::syntax_error, "tenant '" + tenant->name + "' stands here twice");
      } else {
        Key key{};
        key.principal = read_principal(std::move(name), words, key.hash);
        ring.keys_.push_back(std::move(key));
        places.push_back(where);
      }
    } catch (const Error& error) {
      throw error.at(where);
    }
  }
  for (std::size_t i = 0; i < places.size(); ++i) {
    Principal& owner = ring.keys_[i].principal;
    owner.tenant = ring.tenant(owner.tenant_name);
    if (!owner.tenant_name.empty() && !owner.tenant)
      throw Error(ErrorCode::syntax_error, "there is no tenant '" + owner.tenant_name + "'", places[i],
                  "add a line: tenant " + owner.tenant_name + " requests=1000/h");
  }
  return ring;
}

std::shared_ptr<const Tenant> KeyRing::tenant(const std::string& name) const {
  const auto found = tenants_.find(name);
  return found == tenants_.end() ? nullptr : found->second;
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
  const std::string rest = package::hex(std::as_bytes(std::span(hash))) + " " + std::string(roles);
  out.line = std::string(name) + " " + rest;
  if (name.empty() || name == "tenant" || name.find_first_of(" \t\r\n#") != std::string_view::npos)
    throw Error(ErrorCode::invalid_argument, "'" + std::string(name) + "' cannot be the name of a key", "name",
                "use letters and digits");
  std::istringstream words(rest);
  Hash read_back{};
  read_principal(std::string(name), words, read_back);  // refuses what the file would be refused for
  return out;
}

}  // namespace skerry::serve
