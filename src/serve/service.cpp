#include "serve/service.hpp"

#include <algorithm>
#include <charconv>
#include <exception>

#include "serve/routes.hpp"

namespace skerry::serve {
namespace {

constexpr std::size_t kSlowBytes = 256 << 10;  // a body that takes longer to read than a thread of sockets may be held

Principal anonymous() {
  return {.name = "anonymous", .roles = {Role::admin}, .models = {}};
}

std::string_view presented_key(const HttpRequest& request) {
  const std::string_view authorization = request.header("authorization");
  constexpr std::string_view kBearer = "Bearer ";
  if (authorization.starts_with(kBearer)) return authorization.substr(kBearer.size());
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

Service::Service(ServiceOptions options)
    : options_(std::move(options)), repository_(options_.repository), jobs_(options_.jobs) {
  if (!options_.key_file.empty()) reload_keys();
  if (!options_.audit_file.empty()) audit_.emplace(options_.audit_file);
}

std::optional<Principal> Service::authenticate(std::string_view key) const {
  std::shared_ptr<const KeyRing> keys;
  {
    const std::lock_guard lock(keys_mutex_);
    keys = keys_;
  }
  if (!keys) return anonymous();
  const Principal* found = keys->find(key);
  return found != nullptr ? std::optional(*found) : std::nullopt;
}

void Service::reload_keys() {
  if (options_.key_file.empty()) return;
  auto keys = std::make_shared<const KeyRing>(KeyRing::read(options_.key_file));
  const std::lock_guard lock(keys_mutex_);
  keys_ = std::move(keys);
}

void Service::handle(const ExchangePtr& exchange) {
  auto call = std::make_shared<Call>();
  call->exchange = exchange;
  call->trace = trace_of(exchange->request.header("traceparent"));
  try {
    const RouteMatch match = find_route(exchange->request.method, exchange->request.target);
    call->words = match.words;
    call->query = match.query;
    call->is_audited = match.route->role == Role::admin || match.route->is_slow;
    call->principal = admitted(presented_key(exchange->request), match.route->role);
    const HttpRequest& request = exchange->request;
    if (request.body.size() > kSlowBytes || !request.header("content-encoding").empty() || match.route->is_slow) {
      slow_.post([this, call, handler = match.route->handler] { dispatch(call, handler); });
    } else {
      dispatch(call, match.route->handler);
    }
  } catch (...) {
    refuse(call, std::current_exception());
  }
}

void Service::dispatch(const CallPtr& call, void (Service::*handler)(const CallPtr&)) {
  try {
    open_body(*call);
    (this->*handler)(call);
  } catch (...) {
    refuse(call, std::current_exception());
  }
}

Principal Service::admitted(std::string_view key, Role role) {
  auto principal = authenticate(key);
  if (!principal && role == Role::nobody) return {};
  if (!principal) {
    throw RouteError{Error(ErrorCode::permission_denied, "a valid API key is needed", "authorization",
                           "send Authorization: Bearer KEY"),
                     401};
  }
  if (!principal->has(role)) {
    throw RouteError{Error(ErrorCode::permission_denied, "key '" + principal->name + "' may not do this"), 403};
  }
  if (role != Role::nobody && !limiter_.admit(principal->name, principal->requests_per_second)) {
    throw RouteError{Error(ErrorCode::unavailable, "key '" + principal->name + "' sends more requests than it may",
                           "rate", "wait a second"),
                     429};
  }
  return *std::move(principal);
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

void Service::reply(const CallPtr& call, HttpResponse response) {
  const bool is_refused = response.status == 401 || response.status == 403 || response.status == 429;
  if (audit_ && (call->is_audited || is_refused)) {
    try {  // before the answer: what was acknowledged is on record
      audit_->write(is_refused ? "refused" : "request", call->principal.name,
                    call->request().method + " " + call->request().target.substr(0, 512), response.status);
    } catch (const Error& error) {
      log_line("error", "audit", {{"error", error.what()}});
      response = {.status = 500, .body = wire::encode(error)};
    }
  }
  answers_[static_cast<std::size_t>(response.status / 100) % answers_.size()].fetch_add(1);
  if (options_.log_requests || response.status >= 400) {
    const std::chrono::duration<double, std::micro> took = Clock::now() - call->exchange->arrived;
    const HttpRequest& request = call->request();
    log_line(response.status >= 500   ? "error"
             : response.status >= 400 ? "warning"
                                      : "info",
             "request",
             {{"trace_id", call->trace.trace_id},
              {"span_id", call->trace.span_id},
              {"method", request.method},
              {"path", std::string_view(request.target).substr(0, 512)},
              {"status", static_cast<std::uint64_t>(response.status)},
              {"us", took.count()},
              {"peer", request.peer},
              {"key", call->principal.name}});
  }
  response.headers.emplace_back("traceparent", call->trace.header());
  call->exchange->respond(std::move(response));
}

void Service::reply(const CallPtr& call, std::string json, int status) {
  reply(call, HttpResponse{.status = status, .body = std::move(json)});
}

void Service::reply(const CallPtr& call, const wire::Body& body) {
  HttpResponse response{.body = body.bytes};
  if (body.has_binary()) {
    response.type = "application/octet-stream";
    response.headers.emplace_back(wire::kJsonLengthHeader, std::to_string(body.json_bytes));
  }
  reply(call, std::move(response));
}

void Service::refuse(const CallPtr& call, const Error& error, int status) {
  HttpResponse response{.status = status, .body = wire::encode(error)};
  if (status == 401) response.headers.emplace_back("WWW-Authenticate", "Bearer");
  if (status == 503 || status == 429) response.headers.emplace_back("Retry-After", "1");
  reply(call, std::move(response));
}

void Service::refuse(const CallPtr& call, const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const RouteError& wrong) {
    refuse(call, wrong.error, wrong.status);
  } catch (const Error& known) {
    refuse(call, known, error_info(known.code()).http_status);
  } catch (const std::bad_alloc&) {
    refuse(call, Error(ErrorCode::budget_exceeded, "the server has no memory left for this request"), 507);
  } catch (const std::exception& unknown) {
    refuse(call, Error(ErrorCode::internal, unknown.what()), 500);
  }
}

}  // namespace skerry::serve
