/// \file
/// HTTP/1.1 as the handlers see it: requests and answers as values, connections nowhere.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <skerry/error.hpp>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace skerry::serve {

struct HttpRequest {
  std::string method, target;                                ///< the target as it was sent, percent signs and all
  std::vector<std::pair<std::string, std::string>> headers;  ///< names in lower case
  std::string body;
  std::string peer;  ///< address and port of the other end

  /// The first header of this (lower-case) name; empty when there is none.
  std::string_view header(std::string_view name) const noexcept;
};

struct HttpResponse {
  int status = 200;
  std::string body;
  std::string_view type = "application/json";
  std::vector<std::pair<std::string, std::string>> headers;
};

/// One request and the way to its answer. Shared by the connection and whoever works on the answer; from any thread.
/// Exactly one of respond() and begin_stream() is called; an exchange that is dropped without either answers 500.
class Exchange {
 public:
  virtual ~Exchange() = default;
  virtual void respond(HttpResponse response) = 0;
  /// Sends status and headers; chunks follow by send() until end_stream(). The connection ends with the stream.
  virtual void begin_stream(HttpResponse head) = 0;
  virtual void send(std::string chunk) = 0;
  virtual void end_stream() = 0;

  HttpRequest request;
  std::chrono::steady_clock::time_point arrived = std::chrono::steady_clock::now();
  std::stop_source closed;  ///< asked to stop when the other end went away before the answer was sent
  /// Set by whoever puts the answer on record and gives it: a run that ends and a server that does may both want to.
  std::atomic<bool> is_told = false;
};
using ExchangePtr = std::shared_ptr<Exchange>;

/// Called on a thread that reads sockets: what takes long goes elsewhere. May throw Error, which is answered.
using HttpHandler = std::function<void(const ExchangePtr&)>;

/// Called with a request's head before its body is waited for, on a thread that reads sockets; length: of the body, all
/// ones when nobody told. False: the body is not wanted, and the exchange has its answer. Does not throw.
using HttpGate = std::function<bool(const ExchangePtr&, std::uint64_t length)>;

/// Answers with an error what the connection cannot take or wait for any more, if nobody has; its head is known. On a
/// thread that reads sockets. Does not throw.
using HttpRefusal = std::function<void(const ExchangePtr&, const Error&, int status)>;

struct TlsFiles {
  std::string certificate, key;  ///< PEM; empty: no TLS
  std::string client_authority;  ///< PEM; clients must show a certificate that it signed
};

struct HttpOptions {
  std::string host = "127.0.0.1";
  std::uint16_t port = 8000;  ///< 0: any free one
  int threads = 2;
  std::uint64_t max_body_bytes = std::uint64_t{64} << 20;
  std::uint64_t max_waiting_bytes = std::uint64_t{512} << 20;  ///< of what came of bodies until they are answered
  std::uint32_t max_header_bytes = 16 << 10;
  std::uint32_t max_connections = 4096;
  std::chrono::milliseconds header_time{10'000};  ///< from a request's first byte to its last header
  std::chrono::milliseconds idle_time{75'000};    ///< without a request on an open connection
  std::uint64_t least_body_rate = 16 << 10;       ///< bytes a second, in each stretch of header_time; slower ends it
  TlsFiles tls;
};

/// What the server counts about its connections.
struct HttpCounters {
  std::uint64_t open_connections = 0, accepted = 0, refused = 0, malformed = 0, timed_out = 0, waiting_bytes = 0;
};

/// Listens, reads requests, hands them over. Starts with start(); ends with its destruction.
class HttpServer {
 public:
  HttpServer(HttpOptions options, HttpHandler handler, HttpGate gate = {}, HttpRefusal refusal = {});
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  /// Binds and begins to answer. Errors: unavailable (address in use or not ours), invalid_argument (TLS files).
  void start();
  /// The port that is listened on.
  std::uint16_t port() const noexcept;
  /// Takes no new connections, lets begun requests end, closes idle connections; returns when none is left. After
  /// `limit` those that wait for an answer are told 503, and have `last_words` to take it. True: none was cut off.
  bool drain(std::chrono::milliseconds limit, std::chrono::milliseconds last_words);
  HttpCounters counters() const noexcept;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// `Not Found` for 404.
std::string_view reason_phrase(int status) noexcept;

}  // namespace skerry::serve
