/// \file
/// One connection to an endpoint, plain or TLS: every wait has an end, and a stop request ends it at once.
#pragma once

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/descriptor.hpp"
#include "net/url.hpp"

namespace skerry::net {

/// How long somebody waits.
struct Patience {
  std::chrono::steady_clock::time_point deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  std::stop_token stop{};

  /// The same, but no longer than this from now.
  Patience at_most(std::chrono::duration<double> time) const;
};

/// What TLS needs besides the endpoint's name.
struct TlsFiles {
  std::filesystem::path authorities;  ///< PEM; empty: those of the system
  std::filesystem::path certificate;  ///< PEM of this client, with its key: for endpoints that ask for one
  std::filesystem::path key;
};

/// An address of a host, as the system's resolver gives it.
struct Address {
  int family = 0;
  std::vector<std::byte> bytes;  ///< a sockaddr
  std::string text;              ///< `127.0.0.1`
};

/// All errors of this file are `unavailable` and name the endpoint as their place, but for deadline_exceeded (the
/// patience has an end), cancelled (stop) and invalid_argument (a file that TLS cannot use).

/// Addresses of the host, in the system's order; a resolver that hangs is left behind.
std::vector<Address> resolve(const Url& url, const Patience& patience);

/// Moves; the descriptor and the TLS session are closed with it.
class Connection {
 public:
  /// TCP to the first address that answers; each gets a part of the time.
  static Connection open(const Url& url, const std::vector<Address>& addresses, const Patience& patience);
  Connection(Connection&&) noexcept;
  Connection& operator=(Connection&&) noexcept;
  ~Connection();

  /// TLS 1.2 at least, certificate and name checked.
  void start_tls(const TlsFiles& files, const Patience& patience);
  /// `TLSv1.3, TLS_AES_256_GCM_SHA384`; empty for a plain one.
  std::string tls_text() const;

  void write(std::string_view bytes, const Patience& patience);
  /// At least one byte; 0 when the other side has finished.
  std::size_t read(std::span<char> into, const Patience& patience);
  /// Nothing came and the other side has not finished: fit for another request.
  bool is_quiet() const;

 private:
  struct Tls;
  Connection(base::Descriptor socket, std::string name);
  void wait(short events, const Patience& patience) const;
  template <class Call>
  std::size_t tls_call(Call call, const char* doing, const Patience& patience);

  base::Descriptor socket_;
  std::string name_;
  std::unique_ptr<Tls> tls_;
};

}  // namespace skerry::net
