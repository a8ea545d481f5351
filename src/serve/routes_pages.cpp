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

constexpr std::string_view kSchemas =
#include "serve/openapi_schemas.inc"
    ;

// One way in which a body or an answer may come.
void write_media(JsonWriter& json, std::string_view type, std::string_view schema) {
  json.key(type).open('{').key("schema").open('{');
  if (schema.empty()) {
    json.field("type", "string");
    if (type == "application/octet-stream") json.field("format", "binary");
  } else {
    json.field("$ref", "#/components/schemas/" + std::string(schema));
  }
  json.close('}').close('}');
}

// schema: or a media type.
void write_content(JsonWriter& json, std::string_view schema, bool has_raw_bytes) {
  json.key("content").open('{');
  if (schema.find('/') != std::string_view::npos) {
    write_media(json, schema, {});
  } else {
    write_media(json, "application/json", schema);
  }
  if (has_raw_bytes) write_media(json, "application/octet-stream", {});  // JSON, then the bytes
  json.close('}');
}

void write_answer(JsonWriter& json, std::string_view status, std::string_view text, std::string_view schema,
                  bool has_raw_bytes = false) {
  json.key(status).open('{').field("description", text);
  write_content(json, schema, has_raw_bytes);
  json.close('}');
}

void write_parameter(JsonWriter& json, std::string_view name, std::string_view place, std::string_view type) {
  json.open('{').field("name", name).field("in", place).field("required", place == "path");
  json.key("schema").open('{').field("type", type).close('}').close('}');
}

void write_security(JsonWriter& json, Role role) {
  json.key("security").open('[');
  if (role != Role::nobody) {
    for (const char* scheme : {"bearer", "header"}) json.open('{').key(scheme).open('[').close(']').close('}');
  }
  json.close(']');
}

void write_operation(JsonWriter& json, const Route& route) {
  const Operation& told = route.operation;
  std::string method(route.method);
  for (char& c : method) c = static_cast<char>(c | 0x20);
  json.key(method).open('{').field("operationId", told.id).field("summary", route.summary);
  json.field("description", "For " + std::string(role_text(route.role)));
  json.key("parameters").open('[');
  for (std::size_t at = route.path.find('{'); at != std::string_view::npos; at = route.path.find('{', at + 1))
    write_parameter(json, route.path.substr(at + 1, route.path.find('}', at) - at - 1), "path", "string");
  if (!told.parameter.empty()) write_parameter(json, told.parameter, "query", "number");
  json.close(']');
  if (!told.takes.empty()) {
    json.key("requestBody").open('{').field("required", told.needs_body);
    write_content(json, told.takes, told.has_raw_bytes);
    json.close('}');
  }
  json.key("responses").open('{');
  write_answer(json, "200", "The answer", told.gives, told.has_raw_bytes);
  if (!told.accepted.empty()) write_answer(json, "202", "It was taken on, and is not done", told.accepted);
  write_answer(json, "default", "Why there is none", "Error");
  json.close('}');
  write_security(json, route.role);
  json.close('}');
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
  json.close('}').close('}').key("components").open('{').key("schemas").raw(kSchemas);
  json.key("securitySchemes").open('{').key("bearer").open('{').field("type", "http").field("scheme", "bearer");
  json.close('}').key("header").open('{').field("type", "apiKey").field("in", "header").field("name", "X-API-Key");
  json.close('}').close('}').close('}').close('}');
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
