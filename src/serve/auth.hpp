/// \file
/// Who may do what: API keys, stored as hashes, with roles; tenants and what they may take.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "serve/quotas.hpp"

namespace skerry::serve {

/// What a route asks for. Roles do not contain each other; `admin` alone has all.
enum class Role : std::uint8_t { nobody, read, infer, circuits, admin };
/// `read`, `infer`, ... Errors: invalid_argument.
Role role_from_name(std::string_view name);
/// The same; nothing for what is no role.
std::optional<Role> known_role(std::string_view name) noexcept;

/// Who a request comes from.
struct Principal {
  std::string name;  ///< of the key; `anonymous` without authentication
  std::vector<Role> roles;
  std::vector<std::string> models;       ///< that may be used; none: all
  double requests_per_second = 0;        ///< 0: no limit
  std::string tenant_name;               ///< empty: of no tenant
  std::shared_ptr<const Tenant> tenant;  ///< shared: keys are read anew while requests run

  bool has(Role role) const noexcept;
  bool may_use(std::string_view model) const noexcept;
  /// Whose what it leaves on the server is: its tenant's, or its own. No two owners have one name.
  std::string owner() const { return tenant_name.empty() ? "key " + name : "tenant " + tenant_name; }
};

/// The keys of one file; each line is
/// `NAME SHA256-HEX ROLE[,ROLE...] [models=A,B] [rate=REQUESTS-PER-SECOND] [tenant=T]`, or
/// `tenant T [requests=N/h] [bytes=N/h] [shots=N/h] [seconds=N/h] [qubits=N]`; `#` begins a comment. From any thread.
class KeyRing {
 public:
  /// Errors: not_found, io_error, syntax_error with the line.
  static KeyRing read(const std::filesystem::path& file);

  /// The owner of a key. Every known hash is compared, in constant time each, whatever was presented.
  const Principal* find(std::string_view key) const;
  /// Null when there is none of this name.
  std::shared_ptr<const Tenant> tenant(const std::string& name) const;
  std::size_t size() const noexcept { return keys_.size(); }

 private:
  struct Key {
    std::array<unsigned char, 32> hash;
    Principal principal;
  };
  std::vector<Key> keys_;
  std::map<std::string, std::shared_ptr<const Tenant>> tenants_;
};

/// A new key and the line that lets it in. Errors: internal (no random bytes).
struct NewKey {
  std::string key, line;
};
NewKey make_key(std::string_view name, std::string_view roles);

}  // namespace skerry::serve
