#include "sim/stabilizer/request.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <optional>
#include <skerry/error.hpp>
#include <string>

#include "kernels/stabilizer/pauli.hpp"
#include "sim/stabilizer/clifford.hpp"
#include "sim/stabilizer/tableau.hpp"
#include "sim/state/leaving.hpp"
#include "sim/state/questions.hpp"
#include "sim/state/trajectories.hpp"

namespace skerry::sim {
namespace {

/// A batch of frames should stay in a second-level cache.
constexpr std::uint64_t kBatchBytes = 512 << 10;
constexpr std::size_t kMaxFrameWords = 64;
constexpr std::uint64_t kGroupBytes = 8 << 20;

std::optional<std::string> lower_gates(const Circuit& circuit, StabilizerRequest& request) {
  CliffordLowering lowering(circuit);
  for (const Step& step : request.code.steps) {
    request.first.push_back(static_cast<std::uint32_t>(request.gates.size()));
    if (step.kind != StepKind::gate) continue;
    if (auto reason = lowering.append(circuit.blocks()[step.b][step.a], request.code.positions, request.gates))
      return reason;
  }
  request.first.push_back(static_cast<std::uint32_t>(request.gates.size()));
  return std::nullopt;
}

void choose_way(StabilizerRequest& request) {
  std::uint32_t coins = 0;
  bool computes = false;
  for (const Step& step : request.code.steps) {
    const bool is_random = step.kind == StepKind::measure || step.kind == StepKind::reset;
    coins += is_random ? 1U : 0U;
    request.records += step.kind == StepKind::measure ? 1U : 0U;
    computes = computes || !(is_random || step.kind == StepKind::gate);
  }
  const bool asks_midway =
      request.code.random_steps != 0 && (!request.observables.empty() || request.want_distribution);
  request.branches = computes || asks_midway;
  if (!request.branches) {
    const std::uint64_t rows = 2 * std::uint64_t{request.wires()} + request.records;
    const std::uint64_t fitting = kBatchBytes / (8 * std::max<std::uint64_t>(rows, 1)) / kernels::kRowWords;
    const std::uint64_t needed = (request.shots + 64 * kernels::kRowWords - 1) / (64 * kernels::kRowWords);
    const std::uint64_t most = std::min<std::uint64_t>(needed, kMaxFrameWords / kernels::kRowWords);
    request.frame_words = kernels::kRowWords * std::max<std::uint64_t>(1, std::min(fitting, most));
    return;
  }
  request.waiting = most_waiting(request.code.has_loop, coins, request.shots);
}

}  // namespace

std::uint64_t StabilizerRequest::batch_bytes() const noexcept {
  return 8 * frame_words * (2 * std::uint64_t{wires()} + records);
}

std::uint64_t StabilizerRequest::group_shots() const noexcept {
  const std::uint64_t batch = 64 * frame_words, words = std::max<std::uint64_t>(outcome_shape().words(), 1);
  const std::uint64_t batches = std::max<std::uint64_t>(1, kGroupBytes / (8 * words * batch));
  return std::min(batches, (shots + batch - 1) / batch) * batch;
}

std::uint64_t StabilizerRequest::frames_bytes(int threads) const noexcept {
  if (branches || shots == 0) return 0;
  const std::uint64_t batches = (shots + 64 * frame_words - 1) / (64 * frame_words);
  const std::uint64_t at_once = std::min<std::uint64_t>(static_cast<std::uint64_t>(threads), batches);
  return at_once * batch_bytes() + 8 * group_shots() * outcome_shape().words();
}

std::uint64_t StabilizerRequest::distribution_bytes() const noexcept {
  if (!want_distribution) return 0;
  return sizeof(double) << (distribution_of_bits ? outcome_bits : distribution_wires.size());
}

std::uint64_t StabilizerRequest::peak_bytes(int threads) const noexcept {
  const bool samples = shots != 0;
  const std::uint64_t results = distribution_bytes() + (samples ? outcome_shape().store_bytes() : 0);
  const std::uint64_t ids = branches ? 8 * shots : 0;
  // The reference's tableau is gone before there are frames.
  const std::uint64_t running = branches ? Tableau::bytes(wires()) * (1 + waiting) + ids
                                         : std::max(Tableau::bytes(wires()), frames_bytes(threads));
  return std::max(running + results, results + (samples ? outcome_shape().counts_bytes() : 0));
}

double step_words(const StabilizerRequest& request, std::uint32_t step) {
  const auto wires = static_cast<double>(request.wires());
  const double row = static_cast<double>(Tableau::bytes(request.wires())) / (8 * (2 * wires + 1));
  const StepKind kind = request.code.steps[step].kind;
  const bool is_random = kind == StepKind::measure || kind == StepKind::reset;
  return (1.5 * static_cast<double>(request.gates_of(step).size()) + (is_random ? 0.5 * wires : 0.0)) * row;
}

double frame_words(const StabilizerRequest& request) {
  if (request.branches || request.shots == 0) return 0.0;
  const double batch = 64.0 * static_cast<double>(request.frame_words);
  const double steps = 2.0 * static_cast<double>(request.gates.size()) +
                       4.0 * (request.records + request.code.random_steps) + static_cast<double>(request.wires());
  return std::ceil(static_cast<double>(request.shots) / batch) * static_cast<double>(request.frame_words) * steps;
}

Expected<StabilizerRequest> make_stabilizer_request(const Circuit& circuit, const RunOptions& options) {
  check_questions(options, circuit.num_wires());
  if (options.want_state) return Unexpected{"a stabilizer state is kept as its symmetries, without amplitudes"};
  if (options.initial_state) return Unexpected{"an initial state of amplitudes may be no stabilizer state"};
  StabilizerRequest request;
  request.code = flatten(circuit, false);
  request.shots = options.shots;
  request.seed = options.seed;
  request.want_memory = options.want_memory && options.shots != 0;
  request.observables = options.observables;
  if (auto reason = lower_gates(circuit, request)) return Unexpected{*reason};
  const OutcomeBits bits = choose_outcome_bits(circuit, request.shots != 0, request.code);
  request.outcome_bits = bits.outcome;
  request.classical_bits = bits.classical;
  request.first.resize(request.code.steps.size() + 1, request.first.back());
  if (auto reason = choose_distribution(circuit, options, kMaxSampledBits, request)) return Unexpected{*reason};
  choose_way(request);
  while (request.leading < request.code.tail &&
         (!request.branches || request.code.steps[request.leading].kind == StepKind::gate))
    ++request.leading;
  request.leave = options.limits.leave;
  request.resume = options.resume;
  if (request.resume) behind(*request.resume, request.leading);
  return request;
}

}  // namespace skerry::sim
