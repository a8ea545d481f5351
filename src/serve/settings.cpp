#include "serve/settings.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <skerry/error.hpp>

#include "serve/log.hpp"
#include "wire/json_node.hpp"
#include "wire/json_writer.hpp"

namespace skerry::serve {
namespace {

using wire::JsonNode;

[[noreturn]] void refuse_unknown(std::string_view name) {
  throw Error(ErrorCode::invalid_argument, "there is no setting '" + std::string(name.substr(0, 64)) + "'", "settings");
}

// A value as text; gRPC's clients send each as a list of one.
std::string text_of(const JsonNode& value) {
  if (value.is_array() && value.items().size() == 1) return std::string((*value.items().begin()).text());
  return value.element().is_string() ? std::string(value.text()) : value.minified();
}

// What another server can do and this one does not; its usual value says nothing.
void only_usual(std::string_view name, const JsonNode& value, std::string_view usual) {
  if (value.element().is_null()) return;
  const std::string given = text_of(value);
  if (given == usual) return;
  throw Error(ErrorCode::unsupported,
              "'" + std::string(name) + "' is '" + std::string(usual) + "' here, not '" + given.substr(0, 64) + "'",
              "settings", "leave it out");
}

std::int64_t number_in(const JsonNode& value, std::int64_t least) {
  const std::string text = text_of(value);
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number < least)
    value.refuse("a whole number from " + std::to_string(least) + " on is wanted");
  return number;
}

bool level_in(const JsonNode& value) {
  const std::vector<std::string> levels =
      value.is_array() ? value.texts() : std::vector<std::string>{std::string(value.text())};
  bool is_on = false;
  for (const std::string& level : levels) {
    if (level == "TENSORS")
      throw Error(ErrorCode::unsupported, "tensors are not traced", value.where(), "use TIMESTAMPS");
    if (level != "OFF" && level != "TIMESTAMPS") value.refuse("OFF or TIMESTAMPS is wanted");
    is_on = is_on || level == "TIMESTAMPS";
  }
  return is_on;
}

constexpr std::array<std::string_view, 3> kLogLevels = {"info", "warning", "error"};
constexpr std::string_view kLogPrefix = "log_";

}  // namespace

bool TraceSettings::admits(std::string_view model) {
  if (!was_changed_.load(std::memory_order_relaxed)) return true;
  const std::lock_guard lock(mutex_);
  const auto found = models_.find(model);
  Scope none;
  Scope& own = found != models_.end() ? found->second : none;
  if (!is_on(own)) return false;
  Scope& rated = own.rate ? own : all_;
  if (rated.seen++ % rated.rate.value_or(1) != 0) return false;
  Scope& counted = own.count ? own : all_;
  const std::int64_t left = counted.count.value_or(-1);
  if (left > 0) counted.count = left - 1;
  return left != 0;
}

void TraceSettings::update(const std::string& model, std::string_view json) {
  const wire::JsonText text(json);
  const std::lock_guard lock(mutex_);
  const auto found = models_.find(model);
  Scope scope = model.empty() ? all_ : found != models_.end() ? found->second : Scope{};
  for (const auto& [name, value] : text.root().members()) {
    const bool is_cleared = value.element().is_null();
    if (name == "trace_level") {
      scope.is_on = is_cleared ? std::nullopt : std::optional(level_in(value));
    } else if (name == "trace_rate") {
      scope.rate = is_cleared ? std::nullopt : std::optional(static_cast<std::uint64_t>(number_in(value, 1)));
      scope.seen = 0;
    } else if (name == "trace_count") {
      scope.count = is_cleared ? std::nullopt : std::optional(number_in(value, -1));
    } else if (name == "trace_mode") {
      only_usual(name, value, "opentelemetry");
    } else if (name == "log_frequency") {
      only_usual(name, value, "0");
    } else if (name == "trace_file") {
      only_usual(name, value, "");
    } else {
      refuse_unknown(name);
    }
  }
  if (scope.is_on.value_or(false) && !can_record_)
    throw Error(ErrorCode::unsupported, "there is no collector for traces", "trace_level",
                "start the server with --otlp-endpoint");
  (model.empty() ? all_ : models_[model]) = scope;
  was_changed_ = true;
}

std::string TraceSettings::text(std::string_view model) const {
  const std::lock_guard lock(mutex_);
  const auto found = models_.find(model);
  const Scope none;
  const Scope& own = found != models_.end() ? found->second : none;
  const std::uint64_t rate = own.rate.value_or(all_.rate.value_or(1));
  const std::int64_t count = own.count.value_or(all_.count.value_or(-1));
  wire::JsonWriter json;
  json.open('{').key("trace_level").open('[').value(is_on(own) ? "TIMESTAMPS" : "OFF").close(']');
  json.field("trace_rate", std::to_string(rate)).field("trace_count", std::to_string(count));
  json.field("log_frequency", "0").field("trace_file", "").field("trace_mode", "opentelemetry");
  return std::move(json.close('}')).text();
}

void update_log_settings(std::string_view json, std::atomic<bool>& log_requests) {
  const wire::JsonText text(json);
  std::array<std::optional<bool>, kLogLevels.size()> levels;
  std::optional<bool> requests;
  for (const auto& [name, value] : text.root().members()) {
    const std::string_view word = name.substr(std::min(name.size(), kLogPrefix.size()));
    const auto level = std::find(kLogLevels.begin(), kLogLevels.end(), word);
    if (name.starts_with(kLogPrefix) && level != kLogLevels.end()) {
      levels[static_cast<std::size_t>(level - kLogLevels.begin())] = value.element().is_null() || value.flag();
    } else if (name == "log_verbose_level") {
      requests = !value.element().is_null() && number_in(value, 0) > 0;
    } else if (name == "log_file") {
      only_usual(name, value, "");
    } else if (name == "log_format") {
      only_usual(name, value, "json");
    } else {
      refuse_unknown(name);
    }
  }
  for (std::size_t i = 0; i < levels.size(); ++i) {
    if (levels[i]) set_log_level(kLogLevels[i], *levels[i]);
  }
  if (requests) log_requests = *requests;
}

std::string log_settings_text(bool log_requests) {
  wire::JsonWriter json;
  json.open('{').field("log_file", "");
  for (const std::string_view level : kLogLevels)
    json.field(std::string(kLogPrefix) + std::string(level), is_logged(level));
  json.field("log_verbose_level", log_requests ? 1 : 0).field("log_format", "json");
  return std::move(json.close('}')).text();
}

}  // namespace skerry::serve
