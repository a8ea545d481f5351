#include "serve/server.hpp"

#include <pthread.h>
#include <sys/resource.h>

#include <csignal>
#include <optional>
#include <skerry/error.hpp>

namespace skerry::serve {
namespace {

constexpr std::chrono::milliseconds kLeastDrain{1000};

bool is_loopback(const std::string& host) {
  return host == "localhost" || host == "::1" || host.starts_with("127.");
}

void check(const ServerOptions& options) {
  const bool is_guarded = !options.service.key_file.empty() || !options.service.tokens.key_file.empty();
  for (const std::string& host : {options.http.host, options.grpc.host}) {
    if (host.empty() || is_loopback(host) || is_guarded) continue;
    throw Error(ErrorCode::permission_denied, "an address beyond this machine needs authentication", host,
                "add --keys FILE (skerry serve --make-key NAME makes a key), or listen on 127.0.0.1");
  }
}

// Every connection is a descriptor; the usual 1024 are fewer than max_connections.
void raise_descriptor_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

sigset_t block_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&signals, signal);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  return signals;
}

void wait_for_end(Service& service, const sigset_t& signals) {
  for (;;) {
    int signal = 0;
    if (sigwait(&signals, &signal) != 0) continue;
    if (signal != SIGHUP) return;
    try {
      service.reload_keys();
      log_line("info", "reloaded", {});
    } catch (const Error& error) {
      log_line("error", "not reloaded", {{"error", error.what()}});
    }
  }
}

}  // namespace

int serve(const ServerOptions& options, const std::function<void(const Listening&)>& ready) {
  const auto begin = Clock::now();
  check(options);
  raise_descriptor_limit();
  const sigset_t signals = block_signals();  // before any thread is started, so that all of them inherit it
  Service service(options.service);
  service.repository().load_all();
  for (const IndexRow& row : service.repository().index(false)) {
    if (!row.reason.empty()) log_line("error", "not loaded", {{"model", row.name}, {"error", row.reason}});
  }
  HttpServer http(options.http, [&service](const ExchangePtr& exchange) { service.handle(exchange); });
  service.set_http_counters([&http] { return http.counters(); });
  http.start();
  std::optional<GrpcListener> grpc;
  Listening listening{options.http.host + ":" + std::to_string(http.port()), {}, 0.0};
  if (!options.grpc.host.empty()) {
    grpc.emplace(options.grpc, service);
    listening.grpc = options.grpc.host + ":" + std::to_string(grpc->port());
  }
  const std::chrono::duration<double> took = Clock::now() - begin;
  listening.seconds = took.count();
  ready(listening);
  wait_for_end(service, signals);
  const auto limit = std::chrono::milliseconds(static_cast<std::int64_t>(options.drain_seconds * 1000.0));
  log_line("info", "draining", {});
  service.set_draining();
  const auto from = Clock::now();
  service.jobs().drain(limit);
  const auto rest = limit - std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - from);
  if (grpc) grpc->drain(std::max(rest, kLeastDrain));
  const bool clean = http.drain(std::max(rest, kLeastDrain));
  log_line("info", "ended", {{"clean", std::string_view(clean ? "yes" : "no")}});
  return 0;
}

}  // namespace skerry::serve
