#include "edge/placement.hpp"

#include <algorithm>
#include <cstdio>

#include "plan/budget.hpp"

namespace skerry::edge {
namespace {

using planning::bytes_text;
using planning::seconds_text;

// Below this much battery, work is left to others if there are any.
constexpr double kLowBatteryPercent = 15.0;

struct Verdict {
  std::string cannot;      ///< why it is impossible
  std::string better_not;  ///< why somebody else should do it
};

std::uint64_t limit_bytes(const EdgeExecutionConfig& config) {
  return static_cast<std::uint64_t>(config.max_memory_mb * 1e6);
}

void add(std::string& text, const std::string& reason) {
  text += (text.empty() ? "" : "; ") + reason;
}

Verdict judge(const Question& question, std::uint64_t bytes, double seconds) {
  const EdgeExecutionConfig& config = question.config;
  const Resources& now = question.resources;
  Verdict out;
  if (bytes > limit_bytes(config)) {
    add(out.cannot, "needs " + bytes_text(bytes) + " (" + std::to_string(bytes) + " bytes) and max_memory_mb allows " +
                        bytes_text(limit_bytes(config)) + " (" + std::to_string(limit_bytes(config)) + " bytes)");
  } else if (bytes > now.available_bytes || now.running_bytes > now.available_bytes - bytes) {
    add(out.cannot, "needs " + bytes_text(bytes) + " and of " + bytes_text(now.available_bytes) +
                        " that are free now, other runs may take " + bytes_text(now.running_bytes));
  }
  if (seconds > config.max_execution_time) {
    add(out.cannot, "would take " + seconds_text(seconds) + " and max_execution_time allows " +
                        seconds_text(config.max_execution_time));
  }
  // Runnable threads share the processors; a run that is alone on them takes what was predicted.
  const double crowd = std::max(1.0, (now.load + 1.0) / std::max(1, now.usable_cpus));
  if (out.cannot.empty() && seconds * crowd > config.max_execution_time) {
    add(out.better_not, "at a load of " + std::to_string(now.load).substr(0, 4) + " it would take " +
                            seconds_text(seconds * crowd) + " and max_execution_time allows " +
                            seconds_text(config.max_execution_time));
  }
  if (now.on_battery && now.battery_percent && *now.battery_percent < kLowBatteryPercent)
    add(out.better_not, "the battery is at " + std::to_string(static_cast<int>(*now.battery_percent)) + " %");
  if (now.too_hot && now.temperature_celsius)
    add(out.better_not, "the machine is at " + std::to_string(static_cast<int>(*now.temperature_celsius)) + " C");
  return out;
}

Verdict judge_edge(const Question& question) {
  if (question.config.max_memory_mb == 0.0) return {"max_memory_mb is 0: nothing runs here", {}};
  if (!question.cannot_run.empty()) return {question.cannot_run, {}};
  return judge(question, question.peak_bytes, question.seconds);
}

Verdict judge_hybrid(const Question& question) {
  if (question.config.max_memory_mb == 0.0) return {"max_memory_mb is 0: nothing runs here", {}};
  if (!question.split || !question.why_not_split.empty())
    return {question.why_not_split.empty() ? "it was not cut" : question.why_not_split, {}};
  const bool needs_endpoint = std::ranges::any_of(
      question.split->pieces, [](const PieceReport& piece) { return piece.place == ExecutionMethod::cloud; });
  if (needs_endpoint && !question.resources.endpoint_seems_up) return {"a piece needs the endpoint, which is down", {}};
  return judge(question, question.split->peak_bytes, question.split->seconds);
}

std::string judge_cloud(const Question& question) {
  if (!question.config.fallback_to_cloud) return "fallback_to_cloud is off";
  if (question.config.cloud_endpoint.empty()) return "there is no cloud_endpoint";
  if (question.resources.endpoint_seems_up) return {};
  return question.config.cloud_endpoint + " is down (" + question.endpoint_failure + ")";
}

std::string why_hybrid(const SplitReport& split) {
  if (!split.pieces.empty() && split.pieces[0].nodes != 0) {
    const bool head_here = split.pieces[0].place == ExecutionMethod::edge;
    return std::string("its ") + (head_here ? "head" : "tail") + " here, the other half at the endpoint; " +
           bytes_text(split.crossing_bytes) + " of tensors and " + bytes_text(split.weight_bytes) + " of weights move";
  }
  const std::uint32_t cuts = split.gate_cuts + split.wire_cuts;
  std::string text = std::to_string(split.pieces.size()) + " pieces, ";
  if (cuts == 0) return text + "joined by nothing";
  text += std::to_string(split.gate_cuts) + " gates and " + std::to_string(split.wire_cuts) + " wires cut, ";
  std::array<char, 32> terms{};
  std::snprintf(terms.data(), terms.size(), "%.0f", split.terms);
  return text + terms.data() + " products for each term of an observable";
}

// What nobody can run as it is, in single precision.
void take_compressed(const Question& question, Placement& out, PlaceReport& here) {
  if (!question.compressed || question.config.max_memory_mb == 0.0) return;
  const Need need = *question.compressed;
  if (!judge(question, need.bytes, need.seconds).cannot.empty()) return;
  out.method = ExecutionMethod::edge;
  out.refusal.clear();
  out.compressed = true;
  here = {ExecutionMethod::edge,
          true,
          true,
          here.reason + "; compressed, in single precision, it fits in " + bytes_text(need.bytes),
          need.bytes,
          need.seconds};
}

}  // namespace

Placement decide(const Question& question) {
  const Verdict edge = judge_edge(question), hybrid = judge_hybrid(question);
  const std::string cloud = judge_cloud(question);
  const bool edge_fits = edge.cannot.empty(), cloud_can = cloud.empty();
  Placement out;
  out.split = question.split;
  out.whole_bytes = question.whole_bytes;
  if (edge_fits && (edge.better_not.empty() || !cloud_can)) {
    out.method = ExecutionMethod::edge;
  } else if (!edge_fits && hybrid.cannot.empty()) {
    out.method = ExecutionMethod::hybrid;
  } else {
    out.method = ExecutionMethod::cloud;
    if (!cloud_can) out.refusal = edge.cannot;
  }
  PlaceReport here{ExecutionMethod::edge, edge_fits, false, edge.cannot, question.peak_bytes, question.seconds};
  if (!out.refusal.empty()) take_compressed(question, out, here);
  const bool refused = !out.refusal.empty();
  if (edge_fits) here.reason = edge.better_not.empty() ? "fits the budget and the machine" : edge.better_not;
  PlaceReport pieces{ExecutionMethod::hybrid, hybrid.cannot.empty(), false, hybrid.cannot};
  if (question.split) {
    pieces.peak_bytes = question.split->peak_bytes;
    pieces.seconds = question.split->seconds;
    if (pieces.possible) pieces.reason = why_hybrid(*question.split);
  }
  PlaceReport remote{ExecutionMethod::cloud, cloud_can, false, cloud};
  if (cloud_can) remote.reason = question.config.cloud_endpoint;
  if (cloud_can && question.whole_bytes != 0)
    remote.reason += ", " + bytes_text(question.whole_bytes) + " of weights and inputs move";
  out.considered = {here, pieces, remote};
  for (PlaceReport& place : out.considered) {
    place.chosen = !refused && place.method == out.method;
    if (!place.chosen && place.possible) place.reason += ", but not needed";
  }
  return out;
}

std::string Placement::explain() const {
  std::string out = "placement: " + (refusal.empty() ? std::string(execution_method_name(method)) : "nowhere") + "\n";
  for (const PlaceReport& place : considered) {
    out += std::string(place.chosen ? "  * " : "  - ") + std::string(execution_method_name(place.method));
    if (place.peak_bytes > 0) out += ", " + bytes_text(place.peak_bytes);
    if (place.seconds > 0) out += ", " + seconds_text(place.seconds);
    out += ": " + place.reason + "\n";
  }
  if (!split || method != ExecutionMethod::hybrid) return out;
  for (const PieceReport& piece : split->pieces) {
    out += "      " +
           (piece.nodes != 0 ? "half of " + std::to_string(piece.nodes) + " nodes, "
                             : "piece of " + std::to_string(piece.wires) + " wires, ") +
           bytes_text(piece.peak_bytes) + ", " + seconds_text(piece.seconds) + ": " +
           std::string(execution_method_name(piece.place)) + "\n";
  }
  return out;
}

}  // namespace skerry::edge
