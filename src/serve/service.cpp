#include "serve/service.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <exception>

#include "serve/routes.hpp"
#include "wire/json_writer.hpp"

namespace skerry::serve {
namespace {

constexpr std::uint64_t kIdleBytes =
    64 << 10;                                  // of a body that says nothing: some clients send one with every question
constexpr std::size_t kSlowBytes = 256 << 10;  // a body that takes longer to read than a thread of sockets may be held

Principal anonymous() {
  return {.name = "anonymous", .roles = {Role::admin}, .models = {}};
}

std::string_view presented_key(const HttpRequest& request) {
  const std::string_view authorization = request.header("authorization");
  constexpr std::string_view kBearer = "bearer ";  // however it is written: RFC 9110, 11.1
  const auto is_same = [](char one, char other) {
    return (one >= 'A' && one <= 'Z' ? one + ('a' - 'A') : one) == other;
  };
  if (std::ranges::equal(authorization.substr(0, kBearer.size()), kBearer, is_same))
    return authorization.substr(kBearer.size());
  return request.header("x-api-key");
}

}  // namespace

std::string_view Call::parameter(std::string_view name) const {
  std::string_view rest = query;
  while (!rest.empty()) {
    const auto end = static_cast<std::size_t>(std::ranges::find(rest, '&') - rest.begin());
    const std::string_view pair = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    const auto equals = static_cast<std::size_t>(std::ranges::find(pair, '=') - pair.begin());
    if (pair.substr(0, equals) == name) return pair.substr(std::min(equals + 1, pair.size()));
  }
  return {};
}

wire::BodyView Call::view() const {
  const std::string_view text = request().header("inference-header-content-length");
  if (text.empty()) return {std::string_view(body)};
  std::size_t length = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), length);
  if (error != std::errc() || end != text.data() + text.size()) {
    throw Error(ErrorCode::invalid_argument, "'" + std::string(text.substr(0, 32)) + "' is no number of bytes",
                std::string(wire::kJsonLengthHeader));
  }
  return {body, length};
}

std::unique_ptr<WorkerPool> Service::make_pool() {
  if (options_.workers.processes == 0) return nullptr;
  PoolOptions workers = options_.workers;
  workers.limits = options_.jobs.limits;
  workers.tell = [this](Span span) { tell_worker(std::move(span)); };
  return std::make_unique<WorkerPool>(std::move(workers));
}

// As many threads wait for worker processes as there are; one process is left to those who wait for their answer.
JobOptions Service::job_options() {
  JobOptions jobs = options_.jobs;
  jobs.has_run = [this](const Submitter& who, const CircuitNotes& notes, const Error* refusal) {
    decided("job", who, notes, refusal);
  };
  if (!pool_) return jobs;
  jobs.workers = std::max(1, options_.workers.processes - 1);
  jobs.quick_workers = std::max(jobs.quick_workers, options_.workers.processes);
  jobs.run_apart = [this](const Submitter& who, const wire::CircuitRequest& request, const RunControl& control,
                          CircuitNotes& notes) { return pool_->run(who, request, control, notes); };
  return jobs;
}

Service::Service(ServiceOptions options)
    : options_(std::move(options)),
      sent_(options_.max_sent_bytes),
      pool_(make_pool()),
      repository_(options_.repository),
      jobs_(job_options()) {
  take_up(options_);
  if (!options_.audit_file.empty()) audit_.emplace(options_.audit_file);
}

std::optional<Principal> Service::authenticate(std::string_view credential) const {
  std::shared_ptr<const Credentials> known;
  {
    const std::lock_guard lock(keys_mutex_);
    known = credentials_;
  }
  if (!known) return anonymous();
  if (known->tokens && TokenKeys::looks_like(credential)) {
    Principal principal = known->tokens->principal(credential);
    principal.tenant = known->keys.tenant(principal.tenant_name);
    if (!principal.tenant_name.empty() && !principal.tenant)
      throw Error(ErrorCode::permission_denied, "the token's tenant is not known here", "authorization");
    return principal;
  }
  const Principal* found = known->keys.find(credential);
  return found != nullptr ? std::optional(*found) : std::nullopt;
}

void Service::take_up(const ServiceOptions& options) {
  std::shared_ptr<Credentials> known;
  if (!options.key_file.empty() || !options.tokens.key_file.empty()) known = std::make_shared<Credentials>();
  if (!options.key_file.empty()) known->keys = KeyRing::read(options.key_file);
  if (!options.tokens.key_file.empty()) known->tokens = std::make_unique<const TokenKeys>(options.tokens);
  log_requests_ = options.log_requests;
  const std::lock_guard lock(keys_mutex_);
  credentials_ = std::move(known);
}

CallPtr Service::begin(const ExchangePtr& exchange) {
  auto call = std::make_shared<Call>();
  call->exchange = exchange;
  call->trace = trace_of(exchange->request.header("traceparent"));
  return call;
}

void Service::find(Call& call) {
  const HttpRequest& request = call.request();
  RouteMatch match = find_route(request.method, request.target);
  call.route = match.route;
  call.words = std::move(match.words);
  call.query = std::move(match.query);
  const bool has_model = call.route->path.find("{model}") != std::string_view::npos;
  call.trace.is_sampled = call.trace.is_sampled && trace_settings_.admits(has_model ? call.words[0] : "");
  call.is_audited = call.route->role == Role::admin || call.route->is_slow;
}

void Service::handle(const ExchangePtr& exchange) {
  const CallPtr call = begin(exchange);
  try {
    find(*call);
    admit(call->principal, presented_key(exchange->request), call->route->role, exchange->request.body.size());
    const HttpRequest& request = exchange->request;
    if (request.body.size() > kSlowBytes || !request.header("content-encoding").empty() || call->route->is_slow) {
      const auto answer = [this, call] {
        if (draining_.load() && call->exchange->closed.stop_requested()) return;  // refused, and the end waits for it
        dispatch(call, call->route->handler);
      };
      slow_.post(answer, call->principal.name);
    } else {
      dispatch(call, call->route->handler);
    }
  } catch (...) {
    refuse(call, std::current_exception());
  }
}

bool Service::wants_body(const ExchangePtr& exchange, std::uint64_t length) {
  const CallPtr call = begin(exchange);
  try {
    find(*call);
    known(call->principal, presented_key(exchange->request), call->route->role);
    if (call->route->method == "GET" && length > kIdleBytes)  // read by nobody, and anybody may ask some of these
      throw RouteError{Error(ErrorCode::limit_exceeded, "this path takes no body", "body"), 413};
    return true;
  } catch (...) {
    refuse(call, std::current_exception());
    return false;
  }
}

void Service::refuse(const ExchangePtr& exchange, const Error& error, int status) {
  const CallPtr call = begin(exchange);
  try {
    find(*call);
    known(call->principal, presented_key(exchange->request), call->route->role);
  } catch (const RouteError&) {  // no path of ours, or nobody we know: refused all the same
  } catch (const std::exception&) {
  }
  refuse(call, error, status);
}

void Service::dispatch(const CallPtr& call, void (Service::*handler)(const CallPtr&)) {
  try {
    open_body(*call);
    (this->*handler)(call);
  } catch (...) {
    refuse(call, std::current_exception());
  }
}

void Service::known(Principal& principal, std::string_view credential, Role role) const {
  std::string reason = "a valid API key or token is needed";
  bool is_known = false;
  try {
    if (auto found = authenticate(credential)) {
      principal = *std::move(found);
      is_known = true;
    }
  } catch (const Error& error) {
    reason = error.message();
  }
  if (!is_known && role == Role::nobody) return;
  if (!is_known) {
    throw RouteError{Error(ErrorCode::permission_denied, reason, "authorization", "send Authorization: Bearer KEY"),
                     401};
  }
  if (!principal.has(role)) {
    throw RouteError{Error(ErrorCode::permission_denied, "key '" + principal.name + "' may not do this"), 403};
  }
}

void Service::admit(Principal& principal, std::string_view credential, Role role, std::uint64_t bytes) {
  known(principal, credential, role);
  if (role == Role::nobody) return;
  const double rate = principal.requests_per_second;
  if (rate > 0.0) {
    const Allowance allowance{std::max(1.0, rate), std::max(1.0, rate) / rate};
    if (const auto wait = buckets_.take("key " + principal.name, allowance, 1.0)) {
      throw RouteError{Error(ErrorCode::unavailable, "key '" + principal.name + "' sends more requests than it may",
                             "rate", "wait a second"),
                       429, *wait};
    }
  }
  take(principal, Meter::requests, 1.0);
  take(principal, Meter::bytes, static_cast<double>(bytes));
  take(principal, Meter::seconds, 0.0);  // refused while earlier runs have taken more than there was
}

namespace {
std::string bucket_name(const Tenant& tenant, Meter meter) {
  return std::string(kMeterNames[static_cast<std::size_t>(meter)]) + " " + tenant.name;
}
}  // namespace

void Service::take(const Principal& principal, Meter meter, double amount) {
  if (!principal.tenant) return;
  const Tenant& tenant = *principal.tenant;
  const auto wait = buckets_.take(bucket_name(tenant, meter), tenant.of(meter), amount);
  if (!wait) return;
  const std::string name(kMeterNames[static_cast<std::size_t>(meter)]);
  if (std::isinf(*wait)) {
    throw RouteError{
        Error(ErrorCode::limit_exceeded, "tenant '" + tenant.name + "' may never take so many " + name + " at once",
              "quota", "ask for less"),
        403};
  }
  const auto seconds = static_cast<std::uint64_t>(std::ceil(*wait));
  throw RouteError{Error(ErrorCode::unavailable, "tenant '" + tenant.name + "' has used up its " + name, "quota",
                         "wait " + std::to_string(std::max<std::uint64_t>(1, seconds)) + " seconds"),
                   429, *wait};
}

void Service::charge_seconds(const Principal& principal, double seconds) {
  if (!principal.tenant) return;
  buckets_.charge(bucket_name(*principal.tenant, Meter::seconds), principal.tenant->of(Meter::seconds), seconds);
}

void Service::usage(const CallPtr& call) {
  wire::JsonWriter json;
  json.open('{').field("name", call->principal.name);
  if (const auto& tenant = call->principal.tenant) {
    json.field("tenant", tenant->name);
    if (tenant->max_qubits != 0) json.field("qubits", tenant->max_qubits);
    for (std::size_t i = 0; i < kMeterNames.size(); ++i) {
      const Allowance& allowance = tenant->allowances[i];
      if (allowance.amount <= 0.0) continue;
      json.key(kMeterNames[i]).open('{').field("amount", allowance.amount).field("seconds", allowance.seconds);
      json.field("left", buckets_.left(bucket_name(*tenant, static_cast<Meter>(i)), allowance)).close('}');
    }
  }
  reply(call, std::move(json.close('}')).text());
}

void Service::open_body(Call& call) const {
  const std::string_view encoding = call.request().header("content-encoding");
  if (encoding.empty() || encoding == "identity") {
    call.body = std::move(call.exchange->request.body);
  } else if (encoding == "gzip" || encoding == "deflate") {
    call.body = decompressed(call.request().body, options_.max_body_bytes);
  } else {
    throw Error(ErrorCode::unsupported, "content encoding '" + std::string(encoding.substr(0, 32)) + "'", "body",
                "use gzip, deflate or none");
  }
}

std::optional<Error> Service::audit(const Asked& asked, bool is_change, int status) {
  const bool is_refused = status == 401 || status == 403 || status == 429;
  if (!audit_ || (!is_change && !is_refused)) return std::nullopt;
  try {
    audit_->write(is_refused ? "refused" : "request", asked.key,
                  std::string(asked.method) + " " + std::string(asked.what.substr(0, 512)), status);
  } catch (const Error& error) {
    log_line("error", "audit", {{"error", error.what()}});
    return error;
  }
  return std::nullopt;
}

void Service::log_request(const Asked& asked, int status) const {
  if (!log_requests_.load() && status < 400) return;
  const auto took = Clock::now() - asked.arrived;
  log_line(status >= 500   ? "error"
           : status >= 400 ? "warning"
                           : "info",
           "request",
           {{"trace_id", asked.trace.trace_id},
            {"span_id", asked.trace.span_id},
            {"method", asked.method},
            {"path", asked.what.substr(0, 512)},
            {"status", static_cast<std::uint64_t>(status)},
            {"us", std::chrono::duration<double, std::micro>(took).count()},
            {"peer", asked.peer},
            {"key", asked.key}});
}

Service::Asked Service::asked(const Call& call) {
  const HttpRequest& request = call.request();
  return {call.trace, request.method, request.target, request.peer, call.principal.name, call.exchange->arrived};
}

void Service::reply(const CallPtr& call, HttpResponse response) {
  if (call->exchange->is_told.exchange(true)) return;
  // Before the answer: what was acknowledged is on record.
  if (const auto failed = audit(asked(*call), call->is_audited, response.status))
    response = {.status = 500, .body = wire::encode(*failed)};
  record(*call, response.status);
  response.headers.emplace_back("traceparent", call->trace.header());
  call->exchange->respond(std::move(response));
}

Trace Service::begin_trace(std::string_view traceparent, std::string_view model) {
  Trace trace = trace_of(traceparent);
  trace.is_sampled = trace.is_sampled && trace_settings_.admits(model);
  return trace;
}

void Service::tell(Span span, Clock::time_point begin, Clock::time_point end) {
  using System = std::chrono::system_clock;
  const auto now = Clock::now();
  const auto today = System::now();
  span.begin = today - std::chrono::duration_cast<System::duration>(now - begin);
  span.end = today - std::chrono::duration_cast<System::duration>(now - end);
  telemetry_->add(std::move(span));
}

void Service::record(const Call& call, int status) {
  answers_[static_cast<std::size_t>(status / 100) % answers_.size()].fetch_add(1);
  const HttpRequest& request = call.request();
  if (traces(call.trace)) {
    const std::string_view route = call.route != nullptr ? call.route->path : std::string_view();
    const std::string_view path =
        std::string_view(request.target).substr(0, std::min<std::size_t>(request.target.find('?'), 512));
    tell(http_span(call.trace, std::string_view(request.method).substr(0, 32), route, path, status),
         call.exchange->arrived, Clock::now());
  }
  log_request(asked(call), status);
}

void Service::reply(const CallPtr& call, std::string json, int status) {
  reply(call, HttpResponse{.status = status, .body = std::move(json)});
}

void Service::reply(const CallPtr& call, wire::Body body) {
  const bool has_binary = body.has_binary();
  HttpResponse response{.body = std::move(body.bytes)};
  if (has_binary) {
    response.type = "application/octet-stream";
    response.headers.emplace_back(wire::kJsonLengthHeader, std::to_string(body.json_bytes));
  }
  reply(call, std::move(response));
}

void Service::refuse(const CallPtr& call, const Error& error, int status, double retry_seconds) {
  HttpResponse response{.status = status, .body = wire::encode(error)};
  if (status == 401) response.headers.emplace_back("WWW-Authenticate", "Bearer");
  if (status == 503 || status == 429) {
    const double wait = std::clamp(std::ceil(retry_seconds), 1.0, 86'400.0);
    response.headers.emplace_back("Retry-After", std::to_string(static_cast<int>(wait)));
  }
  reply(call, std::move(response));
}

void Service::refuse(const CallPtr& call, const std::exception_ptr& error) {
  const RouteError refusal = refusal_of(error);
  refuse(call, refusal.error, refusal.status, refusal.retry_seconds);
}

}  // namespace skerry::serve
