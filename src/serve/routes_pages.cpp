#include <skerry/error.hpp>

#include "serve/routes.hpp"
#include "serve/service.hpp"
#include "wire/json_writer.hpp"

namespace skerry::serve {
namespace {

using wire::JsonWriter;

constexpr std::string_view kDashboard =
#include "serve/dashboard.inc"
    ;

std::string_view role_text(Role role) {
  switch (role) {
    case Role::nobody:
      return "anybody";
    case Role::read:
      return "role read";
    case Role::infer:
      return "role infer";
    case Role::circuits:
      return "role circuits";
    case Role::admin:
      return "role admin";
  }
  return "";
}

void write_answer(JsonWriter& json, std::string_view status, std::string_view text, std::string_view schema) {
  json.key(status).open('{').field("description", text);
  if (!schema.empty()) {
    json.key("content").open('{').key("application/json").open('{').key("schema").open('{');
    json.field("$ref", schema).close('}').close('}').close('}');
  }
  json.close('}');
}

void write_operation(JsonWriter& json, const Route& route) {
  std::string method(route.method);
  for (char& c : method) c = static_cast<char>(c | 0x20);
  json.key(method)
      .open('{')
      .field("summary", route.summary)
      .field("description", "For " + std::string(role_text(route.role)));
  json.key("parameters").open('[');
  for (std::size_t at = route.path.find('{'); at != std::string_view::npos; at = route.path.find('{', at + 1)) {
    json.open('{').field("name", route.path.substr(at + 1, route.path.find('}', at) - at - 1)).field("in", "path");
    json.field("required", true).key("schema").open('{').field("type", "string").close('}').close('}');
  }
  json.close(']').key("responses").open('{');
  write_answer(json, "200", "The answer", {});
  write_answer(json, "default", "Why there is none", "#/components/schemas/Error");
  json.close('}').close('}');
}

}  // namespace

void Service::dashboard(const CallPtr& call) {
  HttpResponse response{.body = std::string(kDashboard), .type = "text/html; charset=utf-8"};
  // The page needs nothing from elsewhere, and nothing from elsewhere may run in it.
  response.headers.emplace_back(
      "Content-Security-Policy",
      "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; connect-src 'self'");
  reply(call, std::move(response));
}

void Service::openapi(const CallPtr& call) {
  JsonWriter json;
  json.open('{')
      .field("openapi", "3.0.3")
      .key("info")
      .open('{')
      .field("title", "skerry serve")
      .field("version", version());
  json.close('}').key("paths").open('{');
  std::string_view open;
  for (const Route& route : routes()) {
    if (route.path != open) {
      if (!open.empty()) json.close('}');
      json.key(open = route.path).open('{');
    }
    write_operation(json, route);
  }
  json.close('}').close('}').key("components").open('{').key("schemas").open('{').key("Error").open('{');
  json.field("type", "object").key("required").open('[').value("error").close(']').key("properties").open('{');
  for (const char* field : {"error", "code", "message", "where", "hint"})
    json.key(field).open('{').field("type", "string").close('}');
  json.close('}').close('}').close('}').key("securitySchemes").open('{').key("key").open('{');
  json.field("type", "http").field("scheme", "bearer").close('}').close('}').close('}').close('}');
  reply(call, std::move(json).text());
}

void Service::memory_status(const CallPtr& call) {
  const bool keyed = call->parameter("keyed") == "1";
  JsonWriter json;
  json.open(keyed ? '{' : '[');
  for (const SharedRegion& region :
       shared_memory_.regions(call->principal.owner(), call->words.empty() ? "" : call->words[0])) {
    if (keyed) json.key(region.name);
    json.open('{').field("name", region.name).field("key", region.key).field("offset", region.offset);
    json.field("byte_size", region.bytes).close('}');
  }
  reply(call, std::move(json.close(keyed ? '}' : ']')).text());
}

void Service::memory_register(const CallPtr& call) {
  shared_memory_.add(call->principal.owner(), wire::decode_shared_region(call->body, call->words[0]));
  reply(call, "{}");
}

void Service::memory_unregister(const CallPtr& call) {
  shared_memory_.remove(call->principal.owner(), call->words.empty() ? "" : call->words[0]);
  reply(call, "{}");
}

// Models run in the memory of the host alone.
void Service::cuda_memory_status(const CallPtr& call) {
  if (!call->words.empty())
    throw Error(ErrorCode::not_found,
                "there is no region '" + call->words[0].substr(0, 64) + "' of CUDA's shared memory", "region");
  reply(call, call->parameter("keyed") == "1" ? "{}" : "[]");
}

void Service::cuda_memory_register(const CallPtr& call) {
  throw Error(ErrorCode::unsupported, "CUDA's shared memory is not taken: models run in the memory of the host",
              "region '" + call->words[0].substr(0, 64) + "'", "register system shared memory");
}

void Service::cuda_memory_unregister(const CallPtr& call) {
  reply(call, "{}");
}

void Service::trace_setting(const CallPtr& call) {
  const std::string model = call->words.empty() ? std::string() : model_of(*call)->name;
  if (call->request().method == "POST") trace_settings_.update(model, call->body);
  reply(call, trace_settings_.text(model));
}

void Service::logging(const CallPtr& call) {
  if (call->request().method == "POST") update_log_settings(call->body, log_requests_);
  reply(call, log_settings_text(log_requests_.load()));
}

}  // namespace skerry::serve
