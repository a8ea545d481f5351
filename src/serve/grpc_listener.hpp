/// \file
/// The gRPC side of a server: the plugin, opened and given the service.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "serve/http.hpp"
#include "serve/service.hpp"

namespace skerry::serve {

struct GrpcOptions {
  std::string host;  ///< empty: no gRPC
  std::uint16_t port = 8001;
  std::uint64_t max_message_bytes = std::uint64_t{64} << 20;
  TlsFiles tls;
};

/// Listens from its construction to its destruction.
class GrpcListener {
 public:
  /// Errors: unsupported (the plugin is not installed), unavailable (address in use), io_error (TLS files).
  GrpcListener(const GrpcOptions& options, Service& service);
  ~GrpcListener();
  GrpcListener(const GrpcListener&) = delete;
  GrpcListener& operator=(const GrpcListener&) = delete;

  std::uint16_t port() const noexcept;
  void drain(std::chrono::milliseconds limit);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace skerry::serve
