#include "sim/statevector/request.hpp"

#include <algorithm>
#include <bit>
#include <skerry/checkpoint.hpp>
#include <skerry/error.hpp>
#include <string>

#include "base/machine.hpp"
#include "base/threads.hpp"
#include "kernels/statevec/gate.hpp"
#include "kernels/statevec/reduce.hpp"
#include "sim/state/leaving.hpp"
#include "sim/state/questions.hpp"

namespace skerry::sim {
namespace {

/// States kept at most; the smaller part of a split runs first, so that more are rarely of use.
constexpr std::uint32_t kMaxSlots = 8;
/// Gates between two places at which a run may be left, at least, so that the sweep that each costs is few percent of
/// them; and such places at most.
constexpr std::uint32_t kStretch = 256, kMostStretches = 64;

std::optional<std::string> unsupported_unitary(const Circuit& circuit) {
  for (const Matrix& matrix : circuit.matrices()) {
    if (matrix.wires > kernels::kMaxDenseTargets)
      return "a unitary on " + std::to_string(matrix.wires) + " wires is larger than " +
             std::to_string(kernels::kMaxDenseTargets);
  }
  return std::nullopt;
}

void choose_outcomes(const Circuit& circuit, Request& request) {
  const OutcomeBits bits = choose_outcome_bits(circuit, request.samples(), request.code);
  request.outcome_bits = bits.outcome;
  request.classical_bits = bits.classical;
  for (std::size_t i = request.code.tail; i < request.code.steps.size(); ++i) {
    const Step& step = request.code.steps[i];
    if (step.kind == StepKind::measure && step.a != kIdle) request.tail_positions.push_back(step.a);
  }
  std::ranges::sort(request.tail_positions);
  const auto repeated = std::ranges::unique(request.tail_positions);
  request.tail_positions.erase(repeated.begin(), repeated.end());
}

std::optional<std::string> choose_distribution(const Circuit& circuit, const RunOptions& options, Request& request) {
  if (!options.want_probabilities) return std::nullopt;
  DistributionSubject subject = distribution_subject(circuit, options, request.code);
  request.distribution = subject.is_bits ? Distribution::bits : Distribution::wires;
  request.distribution_wires = std::move(subject.wires);
  const std::size_t size = subject.is_bits ? std::max(subject.size, request.tail_positions.size()) : subject.size;
  return refuse_distribution(size, subject.is_bits, kMaxDistributionBits);
}

bool holds_wires(const Tensor& state, std::uint32_t wires) {
  return wires <= kMaxStateWires && static_cast<std::uint64_t>(state.shape().elements()) == std::uint64_t{1} << wires;
}

/// Begins with the state of a run that stood behind some gates.
void go_on(const Checkpoint& from, Request& request) {
  const DType dtype = request.precision == Precision::single_precision ? DType::c64 : DType::c128;
  const Tensor state = from.parts.empty() ? Tensor() : from.parts[0];
  if (from.parts.size() != 1 || state.dtype() != dtype ||
      !holds_wires(state, static_cast<std::uint32_t>(request.code.wires))) {
    throw Error(ErrorCode::invalid_argument,
                "its state is " + std::string(dtype_name(state.dtype())) + state.shape().text() +
                    " and this run has one of " + std::string(dtype_name(dtype)) + " on " +
                    std::to_string(request.code.wires) + " wires",
                "checkpoint", "give the circuit and the precision that it was made with");
  }
  request.initial_state = state;
  request.first_step = behind(from, request.leading_gates);
}

/// As many as can be of use, and as the memory limit leaves room for.
void choose_slots(const RunOptions& options, Request& request) {
  if (request.code.random_steps == 0) return;
  std::uint32_t slots = request.code.has_loop ? kMaxSlots : std::min(kMaxSlots, request.code.random_steps);
  if (request.samples()) slots = std::min(slots, static_cast<std::uint32_t>(std::bit_width(request.shots)) - 1);
  request.slots = slots;
  const auto limit = options.limits.max_memory_bytes;
  while (limit && request.slots > 0 && request.peak_bytes() > *limit) --request.slots;
}

/// A state that does not fit, or is to outlive its process. Gives why not.
std::optional<std::string> choose_disk(const Circuit& circuit, const RunOptions& options, Request& request) {
  const Limits& limits = options.limits;
  if (limits.disk_folder.empty()) {
    if (!limits.checkpoint) return std::nullopt;
    throw Error(ErrorCode::invalid_argument, "a checkpoint has no place", "checkpoint", "name a folder on a disk");
  }
  // What a journal tells is how many passes are done, not what was measured meanwhile.
  if (limits.checkpoint && request.code.is_dynamic) return "a run that measures midway keeps no checkpoint";
  if (request.initial_state) return std::nullopt;
  const std::uint64_t budget = limits.max_memory_bytes.value_or(base::available_memory_bytes());
  if (!limits.checkpoint && request.peak_bytes() <= budget) return std::nullopt;
  request.slots = 0;  // no copies: what waits for its turn is run again from the start
  request.disk = use_disk(limits.disk_folder, limits.checkpoint, request.amplitude_bytes(), budget);
  for (Segment& segment : request.segments) {
    WindowedPlan plan = plan_windows(segment.list(circuit, request.code), request.code.wires, request.precision,
                                     request.disk->window_wires);
    segment.plan = std::move(plan.sweeps);
    segment.passes = std::move(plan.passes);
  }
  return std::nullopt;
}

}  // namespace

std::uint64_t Request::distribution_bytes() const noexcept {
  if (distribution == Distribution::none) return 0;
  const std::size_t bits = distribution == Distribution::bits ? outcome_bits : distribution_wires.size();
  return sizeof(double) << bits;
}

std::uint64_t Request::table_bytes() const noexcept {
  if (distribution == Distribution::bits) return sizeof(double) << tail_positions.size();
  if (distribution == Distribution::none) return 0;
  const auto busy = std::ranges::count_if(distribution_wires, [&](Wire w) { return code.positions[w] != kIdle; });
  return static_cast<std::size_t>(busy) == distribution_wires.size() ? 0 : sizeof(double) << busy;
}

std::size_t Request::scratch_numbers() const noexcept {
  std::size_t most = 0;
  for (const Segment& segment : segments) most = std::max(most, segment.plan.scratch_size());
  return most;
}

int Request::scratch_threads() const noexcept {
  std::size_t blocks = 1;
  for (const Segment& segment : segments) blocks = std::max(blocks, segment.plan.blocks());
  return static_cast<int>(std::min(blocks, static_cast<std::size_t>(threads)));
}

std::uint64_t Request::scratch_bytes() const noexcept {
  const std::size_t numbers = scratch_numbers();
  return precision == Precision::single_precision ? kernels::SweepScratch<float>::bytes(numbers, scratch_threads())
                                                  : kernels::SweepScratch<double>::bytes(numbers, scratch_threads());
}

std::uint64_t Request::peak_bytes() const noexcept {
  const std::uint64_t results = (samples() ? outcome_shape().store_bytes() : 0) + distribution_bytes();
  const std::uint64_t ids = has_trajectories() ? sizeof(std::uint64_t) * shots : 0;
  const bool draws = samples() && !tail_positions.empty();
  const std::uint64_t scratch =
      std::max(draws ? kernels::Sampler<double>::scratch_bytes(code.wires) : 0, table_bytes());
  const std::uint64_t running = held_bytes() * (1 + slots) + ids + scratch + results + scratch_bytes();
  const std::uint64_t finishing =
      (want_state ? held_bytes() : 0) + results + (samples() ? outcome_shape().counts_bytes() : 0);
  return std::max(running, finishing);
}

Expected<Request> make_request(const Circuit& circuit, const RunOptions& options) {
  if (auto reason = unsupported_unitary(circuit)) return Unexpected{*reason};
  Request request;
  const bool holds_all =
      options.resume && options.resume->parts.size() == 1 && holds_wires(options.resume->parts[0], circuit.num_wires());
  request.code = flatten(circuit, options.want_state || options.initial_state || holds_all);
  if (request.code.wires > static_cast<int>(kMaxStateWires)) {
    return Unexpected{"a state of " + std::to_string(request.code.wires) + " wires has more than 2^" +
                      std::to_string(kMaxStateWires) + " amplitudes"};
  }
  const auto first = request.code.steps.begin();
  const auto other =
      std::find_if(first, first + request.code.tail, [](const Step& s) { return s.kind != StepKind::gate; });
  request.leading_gates = static_cast<std::uint32_t>(other - first);
  request.precision = options.precision;
  request.shots = options.shots;
  request.seed = options.seed;
  request.want_memory = options.want_memory && options.shots != 0;
  request.want_state = options.want_state;
  request.observables = options.observables;
  request.initial_state = options.initial_state;
  if (options.resume) go_on(*options.resume, request);
  if (options.want_state && options.shots == 0 && request.code.random_steps != 0) {
    return Unexpected{"a circuit that measures midway ends in no single state; ask for shots to get the last one's"};
  }
  const int budget = base::thread_budget();
  request.threads = options.limits.threads > 0 ? std::min(options.limits.threads, budget) : budget;
  const bool may_leave = options.limits.leave && options.limits.disk_folder.empty();
  if (may_leave) request.leave = options.limits.leave;
  const Stretch stretch{.first = request.first_step,
                        .from_zero = !request.initial_state,
                        .longest = may_leave ? std::max(kStretch, request.code.tail / kMostStretches) : 0};
  request.segments = find_segments(circuit, request.code, request.precision, stretch, options.limits.control);
  choose_outcomes(circuit, request);
  if (auto reason = choose_distribution(circuit, options, request)) return Unexpected{*reason};
  choose_slots(options, request);
  if (auto reason = choose_disk(circuit, options, request)) return Unexpected{*reason};
  return request;
}

}  // namespace skerry::sim
