#include "serve/decisions.hpp"

#include <algorithm>
#include <array>

#include "wire/json_writer.hpp"

namespace skerry::serve {
namespace {

constexpr std::array<std::string_view, 3> kClientPlaces = {"edge", "hybrid", "cloud"};

// A worker tells the method's name, and that process may be anybody's.
std::string plain_name(std::string_view name) {
  const bool is_plain = std::all_of(
      name.begin(), name.end(), [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; });
  return is_plain ? std::string(name) : "other";
}

std::string cut(std::string_view text) {
  return std::string(text.substr(0, Decisions::kMostText));
}

// `cloud needs 4.3 GB and max_memory_mb allows 1.0 GB`.
void read_placement(std::string_view told, Decision& decision) {
  const std::string_view place = told.substr(0, told.find(' '));
  if (std::find(kClientPlaces.begin(), kClientPlaces.end(), place) == kClientPlaces.end()) return;
  decision.client = place;
  decision.client_reason = cut(told.substr(std::min(told.size(), place.size() + 1)));
}

// Those that say that there is no room for a circuit, not that it is wrong.
bool is_refusal(ErrorCode code) {
  constexpr std::array kRefusals = {ErrorCode::budget_exceeded, ErrorCode::deadline_exceeded, ErrorCode::limit_exceeded,
                                    ErrorCode::unavailable};
  return std::find(kRefusals.begin(), kRefusals.end(), code) != kRefusals.end();
}

}  // namespace

std::optional<Decision> decision_of(std::string_view what, const Submitter& who, bool has_workers,
                                    const CircuitNotes& notes, const Error* refusal) {
  // Whoever was stopped, or failed within, had a place; for it to be known its circuit must have been read.
  const bool has_place =
      refusal == nullptr ||
      (notes.read_ns != 0 && (refusal->code() == ErrorCode::cancelled || refusal->code() == ErrorCode::internal));
  if (!has_place && !is_refusal(refusal->code())) return std::nullopt;
  const bool is_over = what == "plan" && ((notes.limit_bytes != 0 && notes.need_bytes > notes.limit_bytes) ||
                                          (notes.limit_seconds > 0.0 && notes.need_seconds > notes.limit_seconds));
  Decision decision{.who = who.name, .trace_id = who.run.trace_id, .what = what};
  decision.place = !has_place || is_over ? "refused" : who.is_stranger ? "worker" : "local";
  decision.reason = !has_place        ? cut(refusal->what())
                    : is_over         ? "it would take more than it may"
                    : who.is_stranger ? "its sender is not trusted"
                    : has_workers     ? "its sender is trusted"
                                      : "there are no worker processes";
  decision.method = plain_name(notes.method_name());
  decision.need_bytes = notes.need_bytes;
  decision.limit_bytes = notes.limit_bytes;
  decision.need_seconds = notes.need_seconds;
  decision.limit_seconds = notes.limit_seconds;
  read_placement(who.placement, decision);
  return decision;
}

void Decisions::add(Decision decision) {
  const std::lock_guard lock(mutex_);
  std::pair<std::string, std::string> name{decision.place, decision.method.empty() ? "none" : decision.method};
  if (!counters_.places.contains(name) && counters_.places.size() >= kMostNames) name.second = "other";
  ++counters_.places[std::move(name)];
  if (!decision.client.empty()) ++counters_.clients[decision.client];
  recent_.push_front(std::move(decision));
  if (recent_.size() > kKept) recent_.pop_back();
}

std::vector<Decision> Decisions::recent(const std::string* who) const {
  const std::lock_guard lock(mutex_);
  std::vector<Decision> all;
  for (const Decision& decision : recent_) {
    if (who == nullptr || decision.who == *who) all.push_back(decision);
  }
  return all;
}

DecisionCounters Decisions::counters() const {
  const std::lock_guard lock(mutex_);
  return counters_;
}

std::string decisions_json(const DecisionCounters& counters, const std::vector<Decision>& recent) {
  wire::JsonWriter json;
  json.open('{').key("counts").open('[');
  for (const auto& [name, count] : counters.places) {
    json.open('{').field("place", name.first).field("method", name.second).field("count", count).close('}');
  }
  json.close(']').key("clients").open('[');
  for (const auto& [place, count] : counters.clients)
    json.open('{').field("place", place).field("count", count).close('}');
  json.close(']').key("recent").open('[');
  for (const Decision& one : recent) {
    const std::chrono::duration<double> when = one.when.time_since_epoch();
    json.open('{').field("time", when.count()).field("who", one.who).field("trace_id", one.trace_id);
    json.field("what", one.what).field("place", one.place).field("method", one.method).field("reason", one.reason);
    if (one.need_bytes != 0) json.field("need_bytes", one.need_bytes).field("need_seconds", one.need_seconds);
    if (one.limit_bytes != 0) json.field("limit_bytes", one.limit_bytes);
    if (one.limit_seconds > 0.0) json.field("limit_seconds", one.limit_seconds);
    if (!one.client.empty()) json.field("client", one.client).field("client_reason", one.client_reason);
    json.close('}');
  }
  return std::move(json.close(']').close('}')).text();
}

}  // namespace skerry::serve
