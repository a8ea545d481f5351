/// \file
/// The whole server as one process: listeners, service, signals.
#pragma once

#include <filesystem>
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
  std::string otlp_endpoint;    ///< of a collector of spans and metrics; empty: none
  double drain_seconds = 30.0;  ///< that requests in flight get after SIGTERM
  /// Where these options came from; a change of the file, like SIGHUP, has them read again. Empty: only SIGHUP.
  std::filesystem::path config;
};

/// What is told once the server answers.
struct Listening {
  std::string http, grpc;  ///< address and port; empty: not listened
  double seconds = 0.0;
};

/// Serves until SIGTERM or SIGINT, then drains: no new connections, requests in flight end. SIGHUP, or a change of the
/// configuration or of the files of keys and tokens, takes up what `again` gives: keys, tokens, drain_seconds and what
/// is logged at once, the rest with the next start, which is logged. What cannot be read leaves all as it was. ready:
/// called once requests are answered. Gives the process's exit code. Errors: permission_denied for an address beyond
/// loopback without authentication; those of HttpServer::start, Repository, KeyRing and TokenKeys.
int serve(const ServerOptions& started_with, const std::function<void(const Listening&)>& ready,
          const std::function<ServerOptions()>& again);

}  // namespace skerry::serve
