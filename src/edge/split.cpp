#include "edge/split.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <set>
#include <skerry/error.hpp>
#include <vector>

#include "base/machine.hpp"
#include "edge/cut/expectations.hpp"
#include "edge/run_options.hpp"

namespace skerry::edge {
namespace {

// Seconds per amplitude of one Pauli string's expectation value, of one product put together, and of one amplitude's
// probability given the pieces before; measured on a Xeon at 2.1 GHz, one thread.
constexpr double kPauliSeconds = 0.7e-9;
constexpr double kProductSeconds = 6e-9;
constexpr double kGivenSeconds = 3e-9;

std::uint64_t memory_limit(const EdgeExecutionConfig& config) {
  return static_cast<std::uint64_t>(config.max_memory_mb * 1e6);
}

std::uint64_t amplitude_bytes(const EdgeExecutionConfig& config) {
  return config.precision == Precision::single_precision ? 8 : 16;
}

std::uint32_t wires_within(double bytes, double each) {
  return bytes < 2 * each ? 0 : static_cast<std::uint32_t>(std::log2(bytes / each));
}

double power(double base, double exponent) {
  return std::pow(base, std::min(exponent, 300.0));
}

// What each piece takes when its state is asked for; the values of parameters do not matter for that.
void price_pieces(Split& split, const cut::Pieces& pieces, const EdgeExecutionConfig& config) {
  split.ports.assign(pieces.circuits.size(), 0);
  for (const cut::Link& link : pieces.links) {
    ++split.ports[link.a.piece];
    ++split.ports[link.b.piece];
  }
  RunOptions options = run_options(config, {});
  options.limits.max_memory_bytes.reset();
  options.limits.max_execution_time.reset();
  for (const Circuit& circuit : pieces.circuits) {
    std::string refusal;
    const Plan plan = skerry::plan(circuit, options, &refusal);
    split.report.pieces.push_back({circuit.num_wires(), plan.peak_bytes, plan.seconds, ExecutionMethod::edge});
  }
  split.report.gate_cuts = pieces.gate_cuts();
  split.report.wire_cuts = pieces.wire_cuts();
  split.report.terms = pieces.terms();
  split.report.sampling_overhead = pieces.sampling_overhead();
}

cut::Pieces pieces_of(const Circuit& straight, const cut::Cuts& cuts, std::span<const double> values) {
  return cut::take_apart(straight.bind(values), cuts);
}

// What pieces may take that run at once: never more than the limit, see run_together.
std::uint64_t most_together(std::vector<std::uint64_t> bytes, std::uint64_t limit, double threads) {
  std::ranges::sort(bytes, std::greater());
  std::uint64_t sum = 0;
  for (const std::uint64_t piece : bytes) {
    if (threads-- < 1) break;
    if (piece <= limit - sum) sum += piece;
  }
  return sum;
}

}  // namespace

Expected<std::shared_ptr<const Split>> find_split(const Circuit& circuit, const EdgeExecutionConfig& config) {
  auto straight = cut::straighten(circuit);
  if (!straight) return Unexpected{straight.error()};
  auto split = std::make_shared<Split>();
  split->straight = std::move(straight).value();
  const std::vector<double> values(circuit.parameters().size(), 1.0);
  const std::uint32_t wires = circuit.num_wires();
  const double bytes = static_cast<double>(memory_limit(config)) * 0.95;
  const auto each = static_cast<double>(amplitude_bytes(config));
  // Narrow pieces first: their states can be held together, which samples need.
  const std::uint32_t most = std::min(wires_within(bytes, each), wires == 0 ? 0 : wires - 1);
  const std::uint32_t together = std::min(wires_within(bytes, 4 * each), most);
  std::optional<cut::Pieces> best;
  std::string reason = "max_memory_mb leaves no room for a piece";
  for (const std::uint32_t width : std::set{std::min(together, wires / 2 + 2), together, most}) {
    if (width < 2) continue;
    const auto cuts = cut::find_cuts(split->straight.circuit, width, config.max_cuts);
    if (!cuts) {
      reason = cuts.error();
      continue;
    }
    cut::Pieces pieces = pieces_of(split->straight.circuit, *cuts, values);
    if (pieces.circuits.size() < 2) {
      reason = "one piece fits, but takes too long";
      continue;
    }
    if (best && pieces.terms() >= best->terms()) continue;
    best = std::move(pieces);
    split->cuts = *cuts;
  }
  if (!best && config.fallback_to_cloud && !config.cloud_endpoint.empty() && most >= 2) {
    best = pieces_of(split->straight.circuit, {}, values);  // what is too wide goes to the endpoint, the rest stays
  }
  if (!best || best->circuits.size() < 2) return Unexpected{reason};
  price_pieces(*split, *best, config);
  return std::shared_ptr<const Split>(std::move(split));
}

SplitReport price(const Split& split, const RunOptions& options, const EdgeExecutionConfig& config,
                  std::string& refusal) {
  SplitReport report = split.report;
  const std::uint64_t limit = memory_limit(config);
  const bool can_send = config.fallback_to_cloud && !config.cloud_endpoint.empty();
  const bool is_linked = report.gate_cuts + report.wire_cuts != 0;
  const bool holds_states = options.want_state || (options.shots != 0 && is_linked);
  double observable_terms = 0.0;
  for (const Observable& observable : options.observables)
    observable_terms += static_cast<double>(observable.terms().size());
  if (options.initial_state) refusal = "an initial state cannot be cut";
  std::uint64_t held = 0, largest = 0, here = 0;
  std::vector<std::uint64_t> bytes;
  double longest = 0.0, together = 0.0, after = 0.0, outcomes = 1.0;
  for (std::size_t i = 0; i < report.pieces.size(); ++i) {
    PieceReport& piece = report.pieces[i];
    const double amplitudes = power(2.0, piece.wires), ports = split.ports[i];
    piece.seconds += observable_terms * power(4.0, ports) * amplitudes * kPauliSeconds;
    if (piece.peak_bytes > limit) {
      piece.place = ExecutionMethod::cloud;
      if (!can_send) refusal = "a piece of " + std::to_string(piece.wires) + " wires does not fit";
      continue;
    }
    ++here;
    held += static_cast<std::uint64_t>(16 * amplitudes);
    largest = std::max(largest, piece.peak_bytes);
    bytes.push_back(piece.peak_bytes);
    longest = std::max(longest, piece.seconds);
    together += piece.seconds;
    if (is_linked && options.shots != 0) {
      const double different = std::min(static_cast<double>(options.shots), outcomes);
      after += different * amplitudes * power(2.0, ports) * kGivenSeconds;
      outcomes *= amplitudes;
    }
  }
  if (here == 0 && refusal.empty()) refusal = "no piece fits here";
  const double threads = std::max(1, config.threads != 0 ? config.threads : base::usable_cpus());
  after += observable_terms * report.terms * static_cast<double>(report.pieces.size()) * kProductSeconds;
  const double answer = options.want_state ? 16 * power(2.0, static_cast<double>(split.straight.place.size())) : 0.0;
  after += 3 * answer * kGivenSeconds;
  report.seconds = std::max(longest, together / std::min(threads, static_cast<double>(report.pieces.size()))) + after;
  const double needed = holds_states ? 2.0 * static_cast<double>(held) + static_cast<double>(largest) + 2 * answer
                                     : static_cast<double>(most_together(std::move(bytes), limit, threads));
  report.peak_bytes = needed > 1e18 ? std::numeric_limits<std::uint64_t>::max() : static_cast<std::uint64_t>(needed);
  if (refusal.empty() && report.peak_bytes > limit)
    refusal = options.want_state ? "the state of all wires is the answer, and does not fit itself"
                                 : "the states of its pieces do not fit together";
  return report;
}

}  // namespace skerry::edge
