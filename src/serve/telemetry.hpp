/// \file
/// Spans and metrics for a collector, by the OpenTelemetry protocol: OTLP/HTTP with JSON.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

#include "net/http.hpp"
#include "serve/log.hpp"

namespace skerry::serve {

struct MetricsInput;

/// A piece of work and when it was done. No header, no query and no body: nothing that could be a secret.
struct Span {
  /// Names are literals.
  using Attribute = std::pair<std::string_view, std::variant<std::string, std::int64_t>>;
  Trace trace;
  std::string name;
  std::chrono::system_clock::time_point begin, end;
  std::vector<Attribute> attributes = {};
  bool is_answer = true;  ///< of this server to somebody; else a part of one, within it
  bool has_failed = false;
};
/// One answered request of HTTP; route: of the table, empty where none was found.
Span http_span(const Trace& trace, std::string_view method, std::string_view route, std::string_view path, int status);
/// One answered inference by gRPC, with its status.
Span grpc_span(const Trace& trace, std::string_view method, int status);

struct TelemetryOptions {
  std::string endpoint;                   ///< `http://host:4318`; `/v1/traces` and `/v1/metrics` follow
  std::chrono::milliseconds delay{1000};  ///< that a span waits for company at most
  std::chrono::milliseconds metrics_every{10'000};
  std::size_t max_waiting = 2048, max_batch = 512;  ///< spans; those of OpenTelemetry's batching processor
};

struct TelemetryCounters {
  std::uint64_t spans_sent = 0, spans_dropped = 0;     ///< dropped: the queue was full
  std::uint64_t spans_failed = 0;                      ///< the collector refused them, or could not be reached
  std::uint64_t metrics_sent = 0, metrics_failed = 0;  ///< messages
};

/// One thread that sends; whoever answers requests only puts spans into a bounded queue. A message that a collector
/// cannot take now (no connection, 429, 502, 503, 504) is sent again, up to five times with growing pauses; any other
/// refusal is final, as the specification asks (OTLP 1.9, "Failures"). From any thread.
class Telemetry {
 public:
  /// metrics: asked on the sending thread. Errors: invalid_argument for the address.
  Telemetry(TelemetryOptions options, std::function<MetricsInput()> metrics);
  /// Ends without sending what waits.
  ~Telemetry();
  Telemetry(const Telemetry&) = delete;
  Telemetry& operator=(const Telemetry&) = delete;

  /// Takes microseconds at most; drops it when too many wait, or after stop().
  void add(Span span) noexcept;
  /// Sends what waits and the metrics once more, for as long as `limit`; then the thread has ended.
  void stop(std::chrono::milliseconds limit);
  TelemetryCounters counters() const;

 private:
  enum class Outcome : std::uint8_t { sent, again, refused };
  struct Answer {
    Outcome outcome = Outcome::again;
    std::chrono::duration<double> wait{};  ///< that the collector asked for
    std::uint64_t rejected = 0;
    std::string why;
  };

  void run();
  void send_spans();
  void send_metrics();
  Answer deliver(const char* path, const std::string& json, const char* rejected);
  Answer post(const char* path, const std::string& json, const char* rejected);
  net::HttpAnswer exchange(const net::HttpRequest& request);
  bool pause(std::chrono::duration<double> time);
  void tell(const Answer& answer, const char* path);

  const TelemetryOptions options_;
  const net::Url url_;
  const std::function<MetricsInput()> metrics_;
  const std::string instance_;
  const std::chrono::system_clock::time_point started_ = std::chrono::system_clock::now();
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<Span> waiting_;
  TelemetryCounters counters_;
  bool stopping_ = false, has_ended_ = false;
  std::chrono::steady_clock::time_point last_moment_ = std::chrono::steady_clock::time_point::max();
  std::stop_source abandon_;
  std::optional<net::Connection> kept_;  // the sending thread's own
  bool was_told_ = false;                // likewise: of a failure, until it goes well again
  std::thread thread_;                   // last: it uses everything above
};

/// The messages of the protocol, in protobuf's JSON mapping as OTLP changes it: ids in hex, enumerations as numbers,
/// 64-bit integers as text (opentelemetry-proto 1.x, docs/specification.md, "JSON Protobuf Encoding"; fields of
/// trace.proto and metrics.proto; names of attributes by the semantic conventions for HTTP and RPC, 1.27).
struct Resource {
  std::string instance;  ///< of this process
};
std::string spans_json(const std::vector<Span>& spans, const Resource& resource);
std::string metrics_json(const MetricsInput& input, const Resource& resource,
                         std::chrono::system_clock::time_point started, std::chrono::system_clock::time_point now);

}  // namespace skerry::serve
