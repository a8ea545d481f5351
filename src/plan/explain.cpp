#include <array>
#include <cstdio>
#include <skerry/plan.hpp>

#include "plan/budget.hpp"

namespace skerry {
namespace {

using planning::bytes_text;
using planning::seconds_text;

void explain_candidate(std::string& out, const Candidate& candidate, const char* indent) {
  out += indent + std::string(candidate.chosen ? "* " : "- ") + candidate.name;
  if (candidate.peak_bytes > 0) out += ", " + bytes_text(candidate.peak_bytes);
  if (candidate.seconds > 0) out += ", " + seconds_text(candidate.seconds);
  if (candidate.error_bound) {
    std::array<char, 32> digits{};
    std::snprintf(digits.data(), digits.size(), "%.1e", *candidate.error_bound);
    out += *candidate.error_bound == 0 ? ", exact" : ", error below " + std::string(digits.data());
  }
  if (!candidate.reason.empty()) out += ": " + candidate.reason;
  out += "\n";
}

void explain_part(std::string& out, const char* name, std::uint64_t bytes) {
  if (bytes > 0) out += "    " + std::string(name) + " " + bytes_text(bytes) + "\n";
}

}  // namespace

std::string Plan::explain() const {
  std::string out =
      kind + ": " + method + ", " + placement + ", " + std::to_string(threads) +
      (threads == 1 ? " thread" : " threads") +
      (kind == "circuit" ? (precision == Precision::single_precision ? ", complex64" : ", complex128") : "") + "\n";
  out += "  memory " + bytes_text(peak_bytes) + (max_memory_bytes ? " of " + bytes_text(*max_memory_bytes) : "") + "\n";
  explain_part(out, "weights", memory.weights);
  explain_part(out, "packed weights", memory.packed);
  explain_part(out, "intermediate tensors", memory.arena);
  explain_part(out, "scratch", memory.scratch);
  explain_part(out, "outputs", memory.outputs);
  explain_part(out, "state", memory.state);
  out += "  time " + seconds_text(seconds) + (max_seconds ? " of " + seconds_text(*max_seconds) : "") +
         (rates_measured ? "" : " (not measured on this machine yet)") + "\n";
  if (!candidates.empty()) out += "  methods\n";
  for (const auto& candidate : candidates) explain_candidate(out, candidate, "    ");
  if (!steps.empty()) out += "  steps\n";
  for (const auto& step : steps) {
    out += "    " + (step.node.empty() ? step.op : step.node + " " + step.op) + " -> " + step.output + ": " +
           step.kernel + ", " + seconds_text(step.seconds) + "\n";
    for (const auto& candidate : step.candidates) {
      if (!candidate.chosen) explain_candidate(out, candidate, "        ");
    }
  }
  return out;
}

}  // namespace skerry
