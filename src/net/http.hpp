/// \file
/// One request and its answer over HTTP/1.1 (RFC 9112), bounded in bytes and time.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "net/connection.hpp"

namespace skerry::net {

using Headers = std::vector<std::pair<std::string, std::string>>;

struct HttpRequest {
  std::string method = "GET";
  std::string target = "/";
  Headers headers;
  std::string_view body;
};

struct HttpAnswer {
  int status = 0;
  Headers headers;  ///< names in lower case
  std::string body;
  bool may_go_on = false;  ///< another request may follow on this connection

  /// The first of this name (lower case), empty when there is none.
  std::string_view header(std::string_view name) const noexcept;
};

/// Sends and reads. A body may come with its length, in chunks, or end with the connection.
/// Errors: those of Connection; unavailable for an answer that is no HTTP or ends early, limit_exceeded for a body
/// beyond max_body_bytes or a head beyond 64 KiB.
HttpAnswer exchange(Connection& connection, const Url& url, const HttpRequest& request, std::uint64_t max_body_bytes,
                    const Patience& patience);

}  // namespace skerry::net
