#include <algorithm>
#include <charconv>
#include <cstdio>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/output.hpp"
#include "cli/programs.hpp"
#include "cli/verb.hpp"
#include "package/keys.hpp"
#include "serve/server.hpp"

namespace skerry::cli {
namespace {

struct Flags {
  std::string repository, http = "127.0.0.1:8000", grpc, keys, jobs, audit, verify_audit, make_key,
                          roles = "read,infer,circuits";
  std::string otlp_endpoint;
  std::string token_keys, token_issuer, token_audience;
  std::string certificate, certificate_key, client_authority;
  std::vector<std::uint32_t> batches = {4, 16, 32};
  std::vector<std::string> untrusted, trusted;
  std::string releases;
  double batch_delay_us = 0.0, drain_seconds = 30.0;
  std::uint64_t max_queue = 1024, max_body_mb = 64, sent_models_mb = 256, io_threads = 2, workers = 0;
  bool log_requests = false;
};

// `127.0.0.1:8000`, `[::1]:8000`.
void read_address(const std::string& text, const char* flag, std::string& host, std::uint16_t& port) {
  const std::size_t colon = text.rfind(':');
  const char* end = text.data() + text.size();
  if (colon == std::string::npos || colon == 0 || colon + 1 == text.size())
    throw Error(ErrorCode::invalid_argument, "'" + text + "' is not an address", flag, "write 127.0.0.1:8000");
  if (const auto read = std::from_chars(text.data() + colon + 1, end, port); read.ptr != end || read.ec != std::errc())
    throw Error(ErrorCode::invalid_argument, "'" + text.substr(colon + 1) + "' is not a port", flag,
                "ports are 0 to 65535; write 127.0.0.1:8000");
  host = text.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
}

serve::ServerOptions options_of(const Flags& flags, const Context& context) {
  serve::ServerOptions options;
  options.config = context.config;
  serve::ServiceOptions& service = options.service;
  if (std::ranges::adjacent_find(flags.batches, std::greater_equal()) != flags.batches.end() ||
      std::ranges::find(flags.batches, 0U) != flags.batches.end())
    throw Error(ErrorCode::invalid_argument, "the numbers of rows do not ascend from 1", "--batches", "write 4,16,32");
  service.repository.folder = flags.repository;
  service.repository.limits = context.settings.limits();
  service.repository.batching = {
      .sizes = flags.batches.empty() ? std::vector<std::uint32_t>{1} : flags.batches,
      .max_delay = std::chrono::microseconds(static_cast<std::int64_t>(flags.batch_delay_us)),
      .max_queue = flags.max_queue};
  for (const std::string& key : flags.trusted)
    service.repository.loading.trusted.push_back(package::read_public_key(key));
  service.repository.releases = flags.releases;
  service.jobs.folder = flags.jobs;
  serve::CircuitLimits& circuits = service.jobs.limits;
  const Limits limits = context.settings.limits();
  circuits.threads = limits.threads;
  if (limits.max_memory_bytes) circuits.max_memory_bytes = *limits.max_memory_bytes;
  if (limits.max_execution_time) circuits.max_seconds = limits.max_execution_time->count();
  service.workers.processes = static_cast<int>(flags.workers);
  if (!flags.untrusted.empty() && flags.workers == 0)
    throw Error(ErrorCode::invalid_argument, "there are no processes for those who are not trusted", "--untrusted",
                "say how many by --workers N");
  if (!flags.untrusted.empty()) service.workers.untrusted = flags.untrusted;
  if (flags.workers > 0) service.repository.untrusted = service.workers.untrusted;
  service.key_file = flags.keys;
  service.tokens = {flags.token_keys, flags.token_issuer, flags.token_audience};
  service.audit_file = flags.audit;
  service.log_requests = flags.log_requests;
  service.max_body_bytes = options.http.max_body_bytes = flags.max_body_mb << 20U;
  service.max_sent_bytes = flags.sent_models_mb << 20U;
  options.http.threads = static_cast<int>(flags.io_threads);
  options.drain_seconds = flags.drain_seconds;
  options.otlp_endpoint = flags.otlp_endpoint;
  read_address(flags.http, "--http", options.http.host, options.http.port);
  if (!flags.grpc.empty()) read_address(flags.grpc, "--grpc", options.grpc.host, options.grpc.port);
  options.http.tls = options.grpc.tls = {flags.certificate, flags.certificate_key, flags.client_authority};
  options.grpc.max_message_bytes = options.http.max_body_bytes;
  return options;
}

int run(const Flags& flags, Context& context) {
  if (!flags.make_key.empty()) {
    const serve::NewKey made = serve::make_key(flags.make_key, flags.roles);
    if (context.json) {
      print_json({{"ok", true}, {"key", made.key}, {"line", made.line}});
    } else {
      // The line alone on standard output, as `>> keys.txt` wants it; the key goes to whoever asked, not into the file.
      std::fprintf(stderr, "the key, told this once: %s\n", made.key.c_str());
      std::printf("%s\n", made.line.c_str());
    }
    return 0;
  }
  if (!flags.verify_audit.empty()) {
    const serve::AuditState state = serve::verify_audit(flags.verify_audit);
    if (context.json) {
      print_json({{"ok", true}, {"lines", state.lines}, {"head", state.head}});
    } else {
      std::printf("%llu lines hold together, head %s\n", static_cast<unsigned long long>(state.lines),
                  state.head.c_str());
    }
    return 0;
  }
  const auto ready = [&](const serve::Listening& listening) {
    if (context.json) {
      print_json({{"ok", true}, {"http", listening.http}, {"grpc", listening.grpc}, {"seconds", listening.seconds}});
    } else {
      const std::string grpc = listening.grpc.empty() ? "" : " and grpc://" + listening.grpc;
      std::printf("serving on http://%s%s after %.0f ms\n", listening.http.c_str(), grpc.c_str(),
                  listening.seconds * 1000.0);
    }
    std::fflush(stdout);
  };
  return serve::serve(options_of(flags, context), ready, [&] {
    context.read_again();
    return options_of(flags, context);
  });
}

Action declare(const Command& command) {
  auto flags = std::make_shared<Flags>();  // shared: std::function copies its target
  command.add_option("--model-repository", flags->repository, "Models, as NAME/1/model.onnx (or .skerry, .qasm)")
      .type_name("FOLDER");
  command.add_option("--http", flags->http, "Where to listen; port 0 takes a free one")
      .type_name("HOST:PORT")
      .show_default();
  command.add_option("--grpc", flags->grpc, "Where to listen for gRPC; nowhere when left out").type_name("HOST:PORT");
  command.add_option("--keys", flags->keys, "API keys; without them only this machine is served").type_name("FILE");
  command.add_option("--jwt-keys", flags->token_keys, "JSON Web Key Set: who signs tokens that let their bearers in")
      .type_name("FILE.json");
  command.add_option("--jwt-issuer", flags->token_issuer, "Take only this issuer's tokens").type_name("ISS");
  command.add_option("--jwt-audience", flags->token_audience, "Take tokens that are meant for this audience")
      .type_name("AUD");
  command.add_option("--tls-cert", flags->certificate, "Certificate chain: TLS 1.3 on both ports")
      .type_name("FILE.pem");
  command.add_option("--tls-key", flags->certificate_key, "The certificate's private key").type_name("FILE.pem");
  command
      .add_option("--tls-client-ca", flags->client_authority,
                  "Clients must show a certificate signed by this authority")
      .type_name("FILE.pem");
  command.add_option("--trust", flags->trusted, "Serve only packages signed by this public key; again for each")
      .type_name("FILE.pub");
  command
      .add_option("--releases", flags->releases,
                  "Remember here the newest release of each model, and refuse older ones (skerry compile --release)")
      .type_name("FILE");
  command.add_option("--jobs", flags->jobs, "Keep circuit jobs here, so that they survive a restart")
      .type_name("FOLDER");
  command
      .add_count("--workers", flags->workers,
                 "Processes, shut in, for circuits of strangers; 0 runs all in the server itself")
      .type_name("N")
      .between(0, 256)
      .show_default();
  command
      .add_option("--untrusted", flags->untrusted,
                  "Who is run there: all (when left out), others (but admins), tenant:NAME, key:NAME; model:NAME, "
                  "models")
      .type_name("WHO,...")
      .delimiter(',');
  command.add_option("--batches", flags->batches, "Numbers of rows that are run together, ascending; 1 for none")
      .type_name("N,...")
      .delimiter(',')
      .show_default();
  command.add_option("--batch-delay-us", flags->batch_delay_us, "How long a request waits for company at most")
      .type_name("MICROSECONDS")
      .between(0.0, 1e7)
      .show_default();
  command.add_count("--max-queue", flags->max_queue, "Requests that may wait for a model; more are refused")
      .between(1, 1'000'000)
      .show_default();
  command.add_count("--max-body-mb", flags->max_body_mb, "Largest body of a request")
      .type_name("MB")
      .between(1, 4096)
      .show_default();
  command.add_count("--sent-models-mb", flags->sent_models_mb, "Models kept for those who sent them; 0: none are")
      .type_name("MB")
      .between(0, 1'000'000)
      .show_default();
  command.add_count("--io-threads", flags->io_threads, "Threads that read and write sockets")
      .between(1, 64)
      .show_default();
  command.add_option("--drain-seconds", flags->drain_seconds, "Time for requests in flight after SIGTERM")
      .type_name("SECONDS")
      .between(0.0, 3600.0)
      .show_default();
  command.add_option("--audit", flags->audit, "Append changes and refusals here, each line bound to those before")
      .type_name("FILE");
  command.add_option("--verify-audit", flags->verify_audit, "Check such a file, print its head, then end")
      .type_name("FILE");
  command
      .add_option("--otlp-endpoint", flags->otlp_endpoint,
                  "Collector of spans and metrics: OTLP over HTTP, as http://127.0.0.1:4318")
      .type_name("URL");
  command.add_flag("--log-requests", flags->log_requests, "Log every request, not only those that failed");
  command.add_option("--make-key", flags->make_key, "Print a new API key and its line for --keys, then end")
      .type_name("NAME");
  command.add_option("--roles", flags->roles, "Of --make-key: read, infer, circuits, admin")
      .type_name("ROLE,...")
      .show_default();
  return [flags](Context& context) { return run(*flags, context); };
}

}  // namespace

extern const Verb serve_verb;
const Verb serve_verb = {
    "serve",
    "Serve models and circuits over HTTP and gRPC",
    "skerry serve --model-repository models --http 127.0.0.1:8000 --grpc 127.0.0.1:8001\n"
    "skerry serve --model-repository models --http 0.0.0.0:8000 --keys keys.txt\n"
    "skerry serve --make-key alice --roles infer,read >> keys.txt\n",
    true,
    declare,
};

}  // namespace skerry::cli
