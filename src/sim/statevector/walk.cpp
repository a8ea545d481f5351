#include "sim/statevector/walk.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <numeric>
#include <skerry/error.hpp>
#include <string>

#include "base/random.hpp"
#include "base/threads.hpp"
#include "kernels/statevec/gate.hpp"
#include "ops/qubit/gate_record.hpp"

namespace skerry::sim {
namespace {

/// An outcome of less probability than this is rounding: the square of a few units in the last place of an amplitude.
template <class T>
constexpr double kImpossible = sizeof(T) == sizeof(float) ? 1e-12 : 1e-26;
/// Exact answers leave out trajectories of less weight, so that repeat-until-success ends.
constexpr double kNegligibleWeight = 1e-15;
constexpr std::uint64_t kMaxLeaves = std::uint64_t{1} << 22;
/// What the squared norm of a state saved in single precision may be off.
constexpr double kNormTolerance = 1e-4;
constexpr std::size_t kCopyGrain = std::size_t{1} << 20;

}  // namespace

template <class T>
Walk<T>::Walk(const Circuit& circuit, const Request& request, std::vector<Scalar> parameters,
              const Resources& resources)
    : circuit_(circuit),
      request_(request),
      budget_(resources.memory),
      control_(resources.control),
      unit_(circuit, request.code, std::move(parameters)),
      expectations_(request.observables.size()) {
  state_ = base::Buffer::allocate(request.state_bytes(), budget_, "state vector");
  for (std::uint32_t i = 0; i < request.slots; ++i) {
    slots_.push_back(base::Buffer::allocate(request.state_bytes(), budget_, "copy of the state at a measurement"));
    free_slots_.push_back(static_cast<int>(i));
  }
  if (request.has_trajectories()) {
    ids_charge_ = base::Reservation(budget_, sizeof(std::uint64_t) * request.shots, "shots by trajectory");
    ids_.resize(request.shots);
    std::iota(ids_.begin(), ids_.end(), std::uint64_t{0});
  }
  if (request.samples()) outcomes_.emplace(request.outcome_shape(), budget_);
  distribution_ = base::Buffer::allocate(request.distribution_bytes(), budget_, "probabilities");
  for (const Observable& observable : request.observables)
    observables_.push_back(mask(observable, request.code.positions));
}

template <class T>
CircuitResult Walk<T>::run() {
  start();
  for (;;) {
    go();
    if (waiting_.empty()) return finish();
    Waiting next = std::move(waiting_.back());
    waiting_.pop_back();
    resume(std::move(next));
  }
}

template <class T>
void Walk<T>::copy_state(const base::Buffer& from, base::Buffer& to) {
  base::parallel_for(0, from.bytes(), kCopyGrain, [&](std::size_t begin, std::size_t end) {
    control_.check("simulation");
    std::memcpy(to.data() + begin, from.data() + begin, end - begin);
  });
}

template <class T>
void Walk<T>::load_initial_state() {
  const Tensor& given = *request_.initial_state;
  const auto convert = [&](auto from) {
    const auto to = view();
    base::parallel_for(0, to.size(), kCopyGrain, [&](std::size_t begin, std::size_t end) {
      control_.check("simulation");
      for (std::size_t i = begin; i < end; ++i) to.amplitudes[i] = Amplitude(from[i]);
    });
  };
  if (given.dtype() == DType::c64)
    convert(given.as<std::complex<float>>());
  else
    convert(given.as<std::complex<double>>());
  const double norm = kernels::squared_norm<T>(view(), control_);
  if (!(std::abs(norm - 1.0) <= kNormTolerance)) {
    throw Error(ErrorCode::invalid_argument, "the initial state has squared norm " + std::to_string(norm) + ", not 1",
                {}, "divide it by its norm");
  }
}

template <class T>
void Walk<T>::start_state() {
  if (request_.initial_state) return load_initial_state();
  const auto amplitudes = view();
  base::parallel_for(0, amplitudes.size(), kCopyGrain, [&](std::size_t begin, std::size_t end) {
    control_.check("simulation");
    std::fill(amplitudes.amplitudes + begin, amplitudes.amplitudes + end, Amplitude(0));
  });
  amplitudes.amplitudes[0] = 1;
}

template <class T>
void Walk<T>::start() {
  part_.count = request_.shots;
  frame_.classical = unit_.initial(request_.classical_bits);
  start_state();
}

template <class T>
void Walk<T>::resume(Waiting next) {
  part_ = std::move(next.part);
  if (next.slot != kNoSlot) {
    std::swap(state_, slots_[static_cast<std::size_t>(next.slot)]);
    free_slots_.push_back(next.slot);
    frame_ = std::move(next.frame);
    return;
  }
  // Whatever still waits stands on this part's own path, so its copy will do.
  const auto nearest =
      std::find_if(waiting_.rbegin(), waiting_.rend(), [](const Waiting& w) { return w.slot != kNoSlot; });
  if (nearest == waiting_.rend()) {
    frame_ = {0, 0, unit_.initial(request_.classical_bits)};
    start_state();
    return;
  }
  copy_state(slots_[static_cast<std::size_t>(nearest->slot)], state_);
  frame_ = nearest->frame;
}

template <class T>
void Walk<T>::go() {
  while (frame_.pc < request_.code.tail) {
    const Step& step = request_.code.steps[frame_.pc];
    switch (step.kind) {
      case StepKind::gate:
        gate(step);
        ++frame_.pc;
        report_progress();
        break;
      case StepKind::measure:
      case StepKind::reset:
        measure(step);
        ++frame_.pc;
        break;
      case StepKind::assign:
      case StepKind::jump:
      case StepKind::jump_unless:
        frame_.pc = unit_.step(frame_.pc, frame_.classical, control_);
        break;
    }
  }
  leaf();
  done_ += part_.weight;
}

template <class T>
void Walk<T>::report_progress() {
  // A gate on a small state takes less time than telling so.
  if (!control_.progress || (request_.code.wires < 16 && frame_.pc % 256 != 0)) return;
  const double here = static_cast<double>(frame_.pc) / static_cast<double>(request_.code.tail);
  control_.report(done_ + part_.weight * here, "simulation");
}

template <class T>
void Walk<T>::gate(const Step& step) {
  const Instruction instruction = circuit_.blocks()[step.b][step.a];
  std::uint64_t controls = 0;
  for (const Wire wire : instruction.control_wires()) controls |= std::uint64_t{1} << request_.code.positions[wire];
  std::array<int, kernels::kMaxDenseTargets> targets{};
  const std::size_t count = instruction.targets().size();
  for (std::size_t i = 0; i < count; ++i)
    targets[i] = static_cast<int>(request_.code.positions[instruction.targets()[i]]);
  const auto apply = [&](std::span<const std::complex<double>> matrix) {
    kernels::Gate<T>(request_.code.wires, controls, std::span(targets).first(count), matrix).apply(view(), control_);
  };
  if (instruction.op == Op::unitary) return apply(circuit_.matrices()[instruction.aux].values);
  std::array<double, 3> params{};
  for (std::size_t i = 0; i < instruction.params.size(); ++i) {
    const Param& param = instruction.params[i];
    params[i] = param.is_constant() ? param.value : unit_.evaluate(param.expr, frame_.classical).as_real();
    if (!std::isfinite(params[i])) {
      throw Error(ErrorCode::invalid_argument, "parameter " + std::to_string(i) + " of " +
                                                   std::string(op_name(instruction.op)) + " is not a finite number");
    }
  }
  std::array<std::complex<double>, 16> matrix;
  const std::span entries = std::span(matrix).first(std::size_t{1} << (2 * count));
  ops::gate_record(instruction.op).matrix(std::span(params).first(instruction.params.size()), entries);
  apply(entries);
}

template <class T>
double Walk<T>::uniform(std::uint64_t shot) const {
  base::Philox random(request_.seed, shot);
  random.seek(2 * std::uint64_t{frame_.measured});
  return random.uniform();
}

template <class T>
void Walk<T>::wait(Part part) {
  if (++leaves_ > kMaxLeaves) {
    throw Error(ErrorCode::limit_exceeded, "the program has more than " + std::to_string(kMaxLeaves) + " trajectories",
                {}, "ask for fewer shots, or for shots instead of exact answers");
  }
  Waiting waiting{std::move(part), {}, kNoSlot};
  if (!free_slots_.empty()) {
    waiting.slot = free_slots_.back();
    free_slots_.pop_back();
    waiting.frame = frame_;
    copy_state(state_, slots_[static_cast<std::size_t>(waiting.slot)]);
  }
  waiting_.push_back(std::move(waiting));
}

template <class T>
bool Walk<T>::part_shots(double probability_of_one) {
  const auto begin = ids_.begin() + static_cast<std::ptrdiff_t>(part_.first);
  const auto end = begin + static_cast<std::ptrdiff_t>(part_.count);
  const auto middle =
      std::partition(begin, end, [&](std::uint64_t shot) { return !(uniform(shot) < probability_of_one); });
  const auto zeros = static_cast<std::uint64_t>(middle - begin);
  if (zeros == 0 || zeros == part_.count) return zeros == 0;
  const std::uint64_t last_shot = request_.shots - 1;
  const bool last_is_one = part_.has_last_shot && std::find(middle, end, last_shot) != end;
  // The smaller part goes on, yet the part of the last shot, whose state is handed out, comes last.
  const bool chosen = part_.has_last_shot ? !last_is_one : zeros > part_.count / 2;
  Part other = part_;
  other.path.push_back(!chosen);
  Part& ones = chosen ? part_ : other;
  Part& nulls = chosen ? other : part_;
  ones.first += zeros;
  ones.count -= zeros;
  nulls.count = zeros;
  for (Part* part : {&ones, &nulls})
    part->weight = static_cast<double>(part->count) / static_cast<double>(request_.shots);
  part_.has_last_shot = false;
  wait(std::move(other));
  return chosen;
}

template <class T>
bool Walk<T>::part_weight(double probability_of_one) {
  const double one = part_.weight * probability_of_one;
  const double zero = part_.weight - one;
  const bool one_counts = probability_of_one > kImpossible<T> && one > kNegligibleWeight;
  const bool zero_counts = 1.0 - probability_of_one > kImpossible<T> && zero > kNegligibleWeight;
  if (!one_counts || !zero_counts) return probability_of_one > 0.5;
  const bool chosen = one < zero;
  Part other = part_;
  other.path.push_back(!chosen);
  other.weight = chosen ? zero : one;
  part_.weight = chosen ? one : zero;
  wait(std::move(other));
  return chosen;
}

template <class T>
bool Walk<T>::choose_outcome(double probability_of_one) {
  if (frame_.measured < part_.path.size()) return part_.path[frame_.measured];
  const bool outcome = request_.samples() ? part_shots(probability_of_one) : part_weight(probability_of_one);
  part_.path.push_back(outcome);
  return outcome;
}

template <class T>
void Walk<T>::measure(const Step& step) {
  const bool is_reset = step.kind == StepKind::reset;
  if (step.a == kIdle) {
    frame_.classical.bits[step.b] = 0;
    return;
  }
  const auto [zero, one] = kernels::wire_probabilities<T>(view(), static_cast<int>(step.a), control_);
  const double total = zero + one;
  const bool outcome = choose_outcome(one / total);
  ++frame_.measured;
  collapse(step.a, outcome, is_reset, std::sqrt(total / (outcome ? one : zero)));
  if (!is_reset) frame_.classical.bits[step.b] = static_cast<std::uint8_t>(outcome);
}

template <class T>
void Walk<T>::collapse(std::uint32_t position, bool outcome, bool to_zero, double factor) {
  // The part that was found, scaled; a reset moves it to |0>.
  const std::array<std::complex<double>, 4> matrix = !outcome  ? std::array<std::complex<double>, 4>{factor, 0, 0, 0}
                                                     : to_zero ? std::array<std::complex<double>, 4>{0, factor, 0, 0}
                                                               : std::array<std::complex<double>, 4>{0, 0, 0, factor};
  const int targets[] = {static_cast<int>(position)};
  kernels::Gate<T>(request_.code.wires, 0, targets, matrix).apply(view(), control_);
}

#define SKERRY_INSTANTIATE(T)                                                                    \
  template Walk<T>::Walk(const Circuit&, const Request&, std::vector<Scalar>, const Resources&); \
  template CircuitResult Walk<T>::run();                                                         \
  template double Walk<T>::uniform(std::uint64_t) const;
SKERRY_INSTANTIATE(float)
SKERRY_INSTANTIATE(double)
#undef SKERRY_INSTANTIATE

}  // namespace skerry::sim
