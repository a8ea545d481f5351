/// \file
/// The whole server as one process: listeners, service, signals.
#pragma once

#include <functional>
#include <string>

#include "serve/grpc_listener.hpp"
#include "serve/http.hpp"
#include "serve/service.hpp"

namespace skerry::serve {

struct ServerOptions {
  ServiceOptions service;
  HttpOptions http;
  GrpcOptions grpc;
  double drain_seconds = 30.0;  ///< that requests in flight get after SIGTERM
};

/// What is told once the server answers.
struct Listening {
  std::string http, grpc;  ///< address and port; empty: not listened
  double seconds = 0.0;
};

/// Serves until SIGTERM or SIGINT, then drains: no new connections, requests in flight end. SIGHUP reads the key file
/// again. ready: called once requests are answered. Gives the process's exit code.
/// Errors: permission_denied for an address beyond loopback without authentication; those of HttpServer::start,
/// Repository and KeyRing.
int serve(const ServerOptions& options, const std::function<void(const Listening&)>& ready);

}  // namespace skerry::serve
