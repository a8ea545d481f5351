#include "sim/tensor_network/request.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <optional>
#include <utility>

#include "base/machine.hpp"
#include "base/threads.hpp"
#include "sim/state/questions.hpp"
#include "sim/statevector/code.hpp"

namespace skerry::sim {
namespace {

/// Room for a contraction when nobody says how much; fixed, so that the same run makes the same slices.
constexpr std::uint64_t kUsualBytes = std::uint64_t{1} << 30;
/// Multiply-adds that nobody waits for: a year at 3 10^10 a second.
constexpr double kHopeless = 1e18;
/// So many times the work of a state vector, no search makes good.
constexpr double kHopelessShare = 1e4;
/// Below a millisecond or so there is nothing to be won by search.
constexpr double kWorthMore = 1e6;
constexpr std::uint32_t kRestarts = 64;
/// Leaves of all kinds together whose paths are searched: some seconds.
constexpr std::size_t kMostLeaves = std::size_t{1} << 18;
/// Of one network, and gates that are looked at for all light cones.
constexpr std::size_t kMostLeavesOfOne = std::size_t{1} << 16, kMostLooks = std::size_t{1} << 22;
/// A step of so many multiply-adds is worth sharing among threads.
constexpr double kLargeStep = 1 << 20;

std::optional<std::string> not_answered(const RunOptions& options) {
  if (options.shots != 0) return "contraction draws no samples; ask for amplitudes or observables, or use mps";
  if (options.want_state) return "contraction gives single amplitudes, no state";
  if (options.want_probabilities) return "contraction gives amplitudes of basis states, no distribution";
  if (options.initial_state) return "contraction starts from |0...0>";
  if (options.amplitudes.empty() && options.observables.empty())
    return "nothing is asked that contraction answers: amplitudes or observables";
  return std::nullopt;
}

std::optional<std::string> not_a_network(const Circuit& circuit) {
  if (circuit.num_wires() == 0) return "there is no wire";
  if (!circuit.branches().empty() || !circuit.variables().empty()) return "a circuit that branches is no one network";
  if (flatten(circuit, false).is_dynamic) return "a circuit that measures or resets midway is no one network";
  for (std::size_t i = 0; i < circuit.body().size(); ++i) {
    const Instruction gate = circuit.body()[i];
    if (is_gate(gate.op) && gate_axes(circuit, gate) > kMaxGateAxes)
      return "gate " + std::to_string(i) + " has a tensor of more than 2^" + std::to_string(kMaxGateAxes) + " numbers";
  }
  return std::nullopt;
}

class Planner {
 public:
  Planner(const Circuit& circuit, const RunOptions& options, NetworkRequest& request) : request_(request) {
    const double gates = 1.0 + static_cast<double>(circuit.body().size());
    hopeless_ = std::min(kHopeless, kHopelessShare * gates * std::exp2(circuit.num_wires()));
    const int budget = base::thread_budget();
    threads_ =
        static_cast<std::uint32_t>(options.limits.threads > 0 ? std::min(options.limits.threads, budget) : budget);
    most_bytes_ = options.limits.max_memory_bytes.value_or(std::min(kUsualBytes, base::available_memory_bytes()));
  }

  void add(Question question, NetworkTask task, std::vector<NetworkKind>& kinds, std::vector<Network>& known) {
    task.sources = std::move(question.sources);
    const auto at = std::ranges::find(known, question.network);
    if (at != known.end()) return kinds[static_cast<std::size_t>(at - known.begin())].tasks.push_back(std::move(task));
    known.push_back(std::move(question.network));
    kinds.emplace_back();
    kinds.back().tasks.push_back(std::move(task));
  }

  std::optional<std::string> plan(std::vector<NetworkKind>& kinds, const std::vector<Network>& networks) {
    std::size_t leaves = 0;
    for (const Network& network : networks) leaves += network.leaves.size();
    for (const Network& network : networks)
      if (network.leaves.size() > kMostLeavesOfOne)
        return "a network of " + std::to_string(network.leaves.size()) + " tensors is larger than " +
               std::to_string(kMostLeavesOfOne);
    if (leaves > kMostLeaves) return "the observables have too many different light cones to look for a path for each";
    for (std::size_t i = 0; i < kinds.size(); ++i)
      if (auto reason = plan(kinds[i], networks[i], networks.size())) return reason;
    return std::nullopt;
  }

 private:
  std::optional<std::string> plan(NetworkKind& kind, const Network& network, std::size_t kinds) {
    SearchLimits limits{.largest = static_cast<double>(most_bytes_) / static_cast<double>(request_.number_bytes()),
                        .worth_more = kWorthMore,
                        .hopeless = hopeless_,
                        .restarts = static_cast<std::uint32_t>(std::max<std::size_t>(1, kRestarts / kinds))};
    // What waits beside a step is known only when the path is there.
    constexpr int kTries = 4;
    for (int attempt = 0; attempt < kTries; ++attempt, limits.largest /= 2) {
      const Path path = find_path(network, limits);
      kind.cost = path.cost;
      if (!path.fits || path.cost.multiplications > hopeless_) {
        std::array<char, 96> text{};
        std::snprintf(text.data(), text.size(), "the best order of contraction found takes 10^%.0f multiplications",
                      std::log10(path.cost.multiplications));
        return text.data();
      }
      kind.schedule = make_schedule(network, path);
      if (kind.bytes(request_.number_bytes()) <= most_bytes_) break;
    }
    share(kind);
    return std::nullopt;
  }

  void share(NetworkKind& kind) const {
    const double steps = static_cast<double>(kind.schedule.steps.size()) * static_cast<double>(kind.schedule.slices());
    if (threads_ == 1 || kind.cost.multiplications / steps > kLargeStep) return;
    const auto by = [&](NetworkKind::Sharing sharing, std::uint64_t pieces) {
      if (pieces < 2) return false;
      NetworkKind shared;
      shared.sharing = sharing;
      shared.workers = static_cast<std::uint32_t>(std::min<std::uint64_t>(threads_, pieces));
      std::swap(shared.schedule, kind.schedule);
      const bool fits = shared.bytes(request_.number_bytes()) <= most_bytes_;
      std::swap(shared.schedule, kind.schedule);
      if (!fits) return false;
      kind.sharing = sharing;
      kind.workers = shared.workers;
      return true;
    };
    if (!by(NetworkKind::Sharing::tasks, kind.tasks.size())) by(NetworkKind::Sharing::slices, kind.schedule.slices());
  }

  NetworkRequest& request_;
  std::uint32_t threads_ = 1;
  std::uint64_t most_bytes_ = 0;
  double hopeless_ = kHopeless;
};

}  // namespace

std::uint64_t NetworkKind::bytes(std::uint64_t number_bytes) const noexcept {
  const std::uint64_t shared = schedule.leaf_numbers + schedule.fixed_numbers;
  const std::uint64_t numbers = sharing == Sharing::tasks ? workers * (shared + schedule.varying_numbers)
                                                          : shared + workers * schedule.varying_numbers;
  return number_bytes * numbers;
}

std::uint64_t NetworkRequest::peak_bytes() const noexcept {
  std::uint64_t most = 0;
  for (const auto* kinds : {&amplitude_kinds, &expectation_kinds})
    for (const NetworkKind& kind : *kinds) most = std::max(most, kind.bytes(number_bytes()));
  return most + amplitudes.size() * sizeof(std::complex<double>);
}

std::vector<kernels::Work> NetworkRequest::price() const {
  double multiplications = 0, moved = 0, steps = 0, touched = 0;
  for (const auto* kinds : {&amplitude_kinds, &expectation_kinds}) {
    for (const NetworkKind& kind : *kinds) {
      const auto tasks = static_cast<double>(kind.tasks.size());
      multiplications += tasks * kind.cost.multiplications;
      moved += tasks * kind.cost.moved;
      const auto varying = static_cast<double>(kind.schedule.steps.size() - kind.schedule.fixed_steps);
      steps += tasks * (static_cast<double>(kind.schedule.fixed_steps + kind.schedule.places.size()) +
                        varying * static_cast<double>(kind.schedule.slices()));
      touched = std::max(touched, static_cast<double>(kind.bytes(number_bytes())));
    }
  }
  const double width = precision == Precision::single_precision ? 0.5 : 1.0;
  return {{kernels::Rate::contraction, width * multiplications},
          {kernels::Rate::stream_cached, 2 * static_cast<double>(number_bytes()) * moved},
          {kernels::Rate::gate, steps},
          {kernels::Rate::first_touch, touched}};
}

Expected<NetworkRequest> make_network_request(const Circuit& circuit, const RunOptions& options) {
  check_questions(options, circuit.num_wires());
  if (auto reason = not_answered(options)) return Unexpected{*reason};
  if (auto reason = not_a_network(circuit)) return Unexpected{*reason};
  NetworkRequest request;
  request.precision = options.precision;
  request.amplitudes = options.amplitudes;
  request.constants.resize(options.observables.size());
  Planner planner(circuit, options, request);
  std::vector<Network> known;
  if (!options.amplitudes.empty()) {
    const Question question = amplitude_network(circuit);
    for (std::uint32_t i = 0; i < options.amplitudes.size(); ++i)
      planner.add(question, {.answer = i, .coefficient = 1.0, .sources = {}}, request.amplitude_kinds, known);
    if (auto reason = planner.plan(request.amplitude_kinds, known)) return Unexpected{*reason};
  }
  known.clear();
  std::size_t strings = 0;
  for (const Observable& observable : options.observables) strings += observable.terms().size();
  if (strings * (circuit.body().size() + 1) > kMostLooks)
    return Unexpected{"the observables have " + std::to_string(strings) + " strings, too many for a network of each"};
  for (std::uint32_t o = 0; o < options.observables.size(); ++o) {
    for (const PauliTerm& term : options.observables[o].terms()) {
      Question question = expectation_network(circuit, term);
      if (question.network.leaves.empty())
        request.constants[o] += question.factor * term.coefficient;
      else
        planner.add(std::move(question), {.answer = o, .coefficient = term.coefficient, .sources = {}},
                    request.expectation_kinds, known);
    }
  }
  if (auto reason = planner.plan(request.expectation_kinds, known)) return Unexpected{*reason};
  return request;
}

}  // namespace skerry::sim
