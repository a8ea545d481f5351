#include "serve/server.hpp"

#include <malloc.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <array>
#include <csignal>
#include <map>
#include <optional>
#include <skerry/error.hpp>
#include <string_view>
#include <tuple>

#include "serve/short_slices.hpp"

namespace skerry::serve {
namespace {

constexpr std::chrono::milliseconds kLastWords{1000};  // of the drain's time, a third at most: for refusals and stops
constexpr std::chrono::milliseconds kLastTelemetry{2000};

/// Ends the sending of telemetry, however its block is left.
struct Ending {
  std::shared_ptr<Telemetry> telemetry;  // shared with the service
  ~Ending() {
    if (telemetry) telemetry->stop(std::chrono::milliseconds(0));
  }
};

bool is_loopback(const std::string& host) {
  return host == "localhost" || host == "::1" || host.starts_with("127.");
}

bool is_guarded(const ServerOptions& options) {
  return !options.service.key_file.empty() || !options.service.tokens.key_file.empty();
}

// Options that mean nothing without another: silently left out, they would let in whom they were to keep out.
void check_companions(const ServerOptions& options) {
  const TlsFiles& tls = options.http.tls;
  const TokenOptions& tokens = options.service.tokens;
  struct Companion {
    const char* option;
    const std::string& value;
    const char* needed;
    const std::string& other;
  };
  const std::string signers = tokens.key_file.string(), releases = options.service.repository.releases.string();
  const std::string trusted = options.service.repository.loading.trusted.empty() ? "" : "keys";
  for (const Companion& one :
       {Companion{"tls-cert", tls.certificate, "tls-key", tls.key},
        Companion{"tls-key", tls.key, "tls-cert", tls.certificate},
        Companion{"tls-client-ca", tls.client_authority, "tls-cert", tls.certificate},
        Companion{"releases", releases, "trust", trusted}, Companion{"jwt-issuer", tokens.issuer, "jwt-keys", signers},
        Companion{"jwt-audience", tokens.audience, "jwt-keys", signers}}) {
    if (one.value.empty() || !one.other.empty()) continue;
    throw Error(ErrorCode::invalid_argument, std::string("--") + one.option + " needs --" + one.needed, one.option,
                std::string("give both, as flags or in [serve] of the configuration"));
  }
}

void check(const ServerOptions& options) {
  check_companions(options);
  for (const std::string& host : {options.http.host, options.grpc.host}) {
    if (host.empty() || is_loopback(host) || is_guarded(options)) continue;
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

// When a file was last changed and how large it is; -1 where there is none.
using Stamp = std::array<std::int64_t, 3>;

Stamp stamp_of(const std::filesystem::path& file) {
  struct stat state {};
  if (file.empty() || ::stat(file.c_str(), &state) != 0) return {-1, -1, -1};
  return {state.st_mtim.tv_sec * 1'000'000'000 + state.st_mtim.tv_nsec, static_cast<std::int64_t>(state.st_size),
          static_cast<std::int64_t>(state.st_ino)};
}

using Stamps = std::map<std::filesystem::path, Stamp>;

Stamps stamps_of(const ServerOptions& options) {
  Stamps stamps;
  for (const auto& file : {options.config, options.service.key_file, options.service.tokens.key_file})
    stamps[file] = stamp_of(file);
  return stamps;
}

// What only a new start takes up, as options are spelt.
std::string waiting_for_a_start(const ServerOptions& now, const ServerOptions& wanted) {
  const auto tls = [](const TlsFiles& files) { return std::tie(files.certificate, files.key, files.client_authority); };
  const auto batching = [](const ServerOptions& options) {
    const BatchingOptions& batch = options.service.repository.batching;
    return std::tie(batch.sizes, batch.max_delay, batch.max_queue);
  };
  const Limits &limits = now.service.repository.limits, &others = wanted.service.repository.limits;
  std::string names;
  const auto compare = [&names](bool is_same, std::string_view name) {
    if (!is_same) names.append(names.empty() ? "" : ", ").append(name);
  };
  compare(now.http.host == wanted.http.host && now.http.port == wanted.http.port, "http");
  compare(now.grpc.host == wanted.grpc.host && now.grpc.port == wanted.grpc.port, "grpc");
  compare(tls(now.http.tls) == tls(wanted.http.tls), "tls");
  compare(now.service.repository.folder == wanted.service.repository.folder, "model-repository");
  compare(now.service.repository.loading.trusted == wanted.service.repository.loading.trusted, "trust");
  compare(now.service.repository.releases == wanted.service.repository.releases, "releases");
  compare(now.service.jobs.folder == wanted.service.jobs.folder, "jobs");
  compare(now.service.workers.processes == wanted.service.workers.processes, "workers");
  compare(now.service.workers.untrusted == wanted.service.workers.untrusted, "untrusted");
  compare(now.service.audit_file == wanted.service.audit_file, "audit");
  compare(now.otlp_endpoint == wanted.otlp_endpoint, "otlp-endpoint");
  compare(batching(now) == batching(wanted), "batches");
  compare(now.http.max_body_bytes == wanted.http.max_body_bytes, "max-body-mb");
  compare(now.service.max_sent_bytes == wanted.service.max_sent_bytes, "sent-models-mb");
  compare(now.http.threads == wanted.http.threads, "io-threads");
  compare(limits.threads == others.threads, "threads");
  compare(limits.max_memory_bytes == others.max_memory_bytes, "max-memory-mb");
  compare(limits.max_execution_time == others.max_execution_time, "max-execution-time");
  return names;
}

// Takes up what can be taken up; what cannot be read leaves all as it was.
void take_up(Service& service, ServerOptions& options, const std::function<ServerOptions()>& again) {
  try {
    const ServerOptions wanted = again();
    if (is_guarded(options) && !is_guarded(wanted))
      throw Error(ErrorCode::permission_denied, "keys and tokens would no longer be asked for", "keys",
                  "start the server again if that is meant");
    check(wanted);
    service.take_up(wanted.service);
    const std::string waiting = waiting_for_a_start(options, wanted);
    options.service.key_file = wanted.service.key_file;
    options.service.tokens = wanted.service.tokens;
    options.drain_seconds = wanted.drain_seconds;
    if (waiting.empty()) {
      log_line("info", "reloaded", {});
    } else {
      log_line("warning", "reloaded", {{"needs_a_restart", waiting}});
    }
  } catch (const Error& error) {
    log_line("error", "not reloaded", {{"error", error.what()}});
  }
}

// seen: of the files when they were read.
void wait_for_end(Service& service, ServerOptions& options, const std::function<ServerOptions()>& again,
                  const sigset_t& signals, Stamps seen) {
  constexpr timespec kLook{0, 500'000'000};
  for (;;) {
    const int signal = sigtimedwait(&signals, nullptr, &kLook);
    if (signal > 0 && signal != SIGHUP) return;
    Stamps now = stamps_of(options);
    if (signal != SIGHUP && now == seen) continue;
    take_up(service, options, again);
    seen = stamps_of(options);  // other files, perhaps; those that were there as they were before they were read
    for (auto& [file, stamp] : seen) {
      if (const auto before = now.find(file); before != now.end()) stamp = before->second;
    }
  }
}

}  // namespace

int serve(const ServerOptions& started_with, const std::function<void(const Listening&)>& ready,
          const std::function<ServerOptions()>& again) {
  ServerOptions options = started_with;
  Stamps stamps = stamps_of(options);
  const auto begin = Clock::now();
  check(options);
  raise_descriptor_limit();
  ::umask(S_IRWXG | S_IRWXO);                // programs, answers, logs: what the server writes is for its user alone
  ::mallopt(M_ARENA_MAX, 2);                 // dozens of threads that allocate little would keep one each
  const sigset_t signals = block_signals();  // before any thread is started, so that all of them inherit it
  Service service(options.service);
  service.repository().load_all();
  for (const IndexRow& row : service.repository().index(false)) {
    if (!row.reason.empty()) log_line("error", "not loaded", {{"model", row.name}, {"error", row.reason}});
  }
  HttpServer http(
      options.http, [&service](const ExchangePtr& exchange) { service.handle(exchange); },
      [&service](const ExchangePtr& exchange, std::uint64_t length) { return service.wants_body(exchange, length); },
      [&service](const ExchangePtr& exchange, const Error& error, int status) {
        service.refuse(exchange, error, status);
      });
  service.set_http_counters([&http] { return http.counters(); });
  const auto telemetry = options.otlp_endpoint.empty()
                             ? nullptr
                             : std::make_shared<Telemetry>(TelemetryOptions{.endpoint = options.otlp_endpoint},
                                                           [&service] { return service.measured(); });
  service.set_telemetry(telemetry);
  const Ending ending{telemetry};  // before the listener whose counters it reads
  std::optional<GrpcListener> grpc;
  Listening listening;
  {
    const ShortSlices theirs;  // of the threads that read requests
    http.start();
    listening.http = options.http.host + ":" + std::to_string(http.port());
    if (!options.grpc.host.empty()) {
      grpc.emplace(options.grpc, service);
      listening.grpc = options.grpc.host + ":" + std::to_string(grpc->port());
    }
  }
  const std::chrono::duration<double> took = Clock::now() - begin;
  listening.seconds = took.count();
  ready(listening);
  wait_for_end(service, options, again, signals, std::move(stamps));
  const auto limit = std::chrono::milliseconds(static_cast<std::int64_t>(options.drain_seconds * 1000.0));
  log_line("info", "draining", {});
  service.set_draining();
  const auto end = Clock::now() + limit;
  const auto last_words = std::min(kLastWords, limit / 3);
  const auto left = [end, last_words] {
    const auto rest = std::chrono::duration_cast<std::chrono::milliseconds>(end - last_words - Clock::now());
    return std::max(rest, std::chrono::milliseconds(0));
  };
  service.jobs().drain(left(), last_words / 2);
  if (grpc) grpc->drain(left());
  const bool clean = http.drain(left(), last_words / 2);
  if (telemetry) telemetry->stop(kLastTelemetry);
  log_line("info", "ended", {{"clean", std::string_view(clean ? "yes" : "no")}});
  return 0;
}

}  // namespace skerry::serve
