/// \file
/// Where a server is: scheme, host, port and a path in front of all others.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace skerry::net {

struct Url {
  bool tls = false;
  std::string host;  ///< a name, an IPv4 address, or an IPv6 address without its brackets
  std::uint16_t port = 80;
  std::string path;  ///< without a `/` at its end: empty or `/skerry`

  /// `https://host:port`.
  std::string text() const;
  /// What the Host header says.
  std::string authority() const;
};

/// `http://` or `https://`. Errors: invalid_argument with what is wrong, at `field`. A user, a query and a fragment are
/// refused: secrets do not belong into an address.
Url parse_url(std::string_view text, std::string_view field);

}  // namespace skerry::net
