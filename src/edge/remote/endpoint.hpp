/// \file
/// A server as its callers see it: connections that are kept, calls that are repeated when that is safe, and a memory
/// of how it behaved.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <skerry/edge.hpp>
#include <string>
#include <vector>

#include "net/http.hpp"
#include "net/trace.hpp"

namespace skerry::edge::remote {

using net::Address;
using net::Connection;
using net::Headers;
using net::HttpAnswer;
using net::HttpRequest;
using net::Patience;
using net::TlsFiles;
using net::Url;

struct EndpointOptions {
  Url url;
  TlsFiles tls;
  std::string api_key;           ///< sent as a bearer token; empty: none
  double connect_seconds = 1.0;  ///< for name, TCP and TLS of one attempt
};
/// Those of a config with an endpoint. Errors: invalid_argument (the address).
EndpointOptions endpoint_options(const EdgeExecutionConfig& config);

/// A circuit breaker (Nygard, Release It!, 2007, ch. 5): after some failures in a row nothing is sent for a while, then
/// one call is let through. Not thread-safe.
class Breaker {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr int kFailures = 3;

  /// Time until the next call may go, zero when it may now. Taking the one trial call closes the way to others.
  Clock::duration wait(Clock::time_point now, bool take_trial);
  void succeeded() noexcept;
  /// jitter in [0, 1] lengthens the pause by up to half, so that clients do not come back together.
  void failed(Clock::time_point now, double jitter);
  /// The call told nothing: another one may be the trial.
  void abandoned() noexcept { trial_ = false; }
  int failures() const noexcept { return failures_; }

 private:
  int failures_ = 0;
  Clock::time_point open_until_{};
  bool trial_ = false;
};

struct EndpointStatistics {
  std::uint64_t calls = 0, attempts = 0, failures = 0, connections = 0;
};

/// Thread-safe. One logical call may take several attempts.
class Endpoint {
 public:
  explicit Endpoint(EndpointOptions options);

  struct Call {
    std::string method = "GET";
    std::string target;
    Headers headers;
    std::string_view body;
    std::uint64_t max_body_bytes = std::uint64_t{64} << 20;
    net::Trace trace = net::trace_of_process();  ///< every attempt is a part of it
    bool repeatable = true;  ///< sending it twice does no harm: a GET, or a token makes the server see it once
    /// Reads an answer of status 200. What it throws ends the call, and is a failure of the endpoint. Empty: none does.
    std::function<void(const HttpAnswer&)> take = {};
  };
  /// Up to four attempts, with pauses of at most 50, 100, 200 ms, each drawn at random from zero to that (full jitter,
  /// Brooker 2015), or as long as the server asks. Answers of any status but 429 and 503 end it.
  /// Errors: unavailable with what the last attempt met; deadline_exceeded, cancelled.
  HttpAnswer call(const Call& call, const Patience& patience);

  /// False while the breaker is open: known at once, without the network.
  bool seems_up() const;
  /// What the last failed attempt met; empty after a success.
  std::string last_failure() const;
  EndpointStatistics statistics() const;
  /// A large message took so long from its first byte until it was acknowledged.
  void sent(std::uint64_t bytes, double seconds);
  /// Of the last large message; nothing before the first. What was given up tells no more than it managed.
  std::optional<double> bytes_per_second() const;
  const EndpointOptions& options() const noexcept { return options_; }
  /// Closes the connections that wait.
  void close();

 private:
  HttpAnswer attempt(const HttpRequest& request, std::uint64_t max_body, const Patience& patience);
  std::optional<Connection> idle();
  Connection connect(const Patience& patience);
  double random();
  void admit();
  void failed(const std::string& why);
  void succeeded();

  const EndpointOptions options_;
  mutable std::mutex mutex_;
  std::vector<Connection> idle_;
  std::vector<Address> addresses_;
  mutable Breaker breaker_;  // asking may pass the end of a pause
  EndpointStatistics statistics_;
  std::string last_failure_;
  std::optional<double> bytes_per_second_;
};

}  // namespace skerry::edge::remote
