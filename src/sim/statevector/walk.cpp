#include "sim/statevector/walk.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <numeric>
#include <skerry/checkpoint.hpp>
#include <skerry/error.hpp>
#include <string>
#include <utility>

#include "base/random.hpp"
#include "base/threads.hpp"
#include "base/touch.hpp"
#include "kernels/statevec/gate.hpp"

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
constexpr std::size_t kCopyGrain = std::size_t{1} << 20;  // bytes
constexpr std::size_t kFillGrain = std::size_t{1} << 17;  // amplitudes
/// Amplitudes of the longest vector that a sweep reads as one, whatever is known to be 0.
constexpr std::size_t kLongestVector = 64;
/// The numbers of a segment of more pieces, some hundred bytes each, are made sweep by sweep and not kept.
constexpr std::size_t kMaxKept = 20000;

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
  allocate_state();
  scratch_ = kernels::SweepScratch<T>(request.scratch_numbers(), request.scratch_threads(), budget_);
  bound_.resize(request.segments.size());
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
  base::touch(distribution_, control_, "probabilities");
  for (const Observable& observable : request.observables)
    observables_.push_back(mask(observable, request.code.positions));
}

template <class T>
void Walk<T>::allocate_state() {
  if (!request_.disk) {
    state_ = base::allocate_unwritten(request_.state_bytes(), budget_, "state vector", control_, "simulation");
    return;
  }
  disk_charge_ = base::Reservation(budget_, request_.disk->resident_bytes, "pages of a state vector on disk");
  std::string key;
  if (request_.disk->checkpoint) {
    const Classical classical = unit_.initial(request_.classical_bits);
    const auto value = [&](ExprId expr) { return unit_.evaluate(expr, classical).as_real(); };
    key = disk_key(circuit_, request_.code, request_.segments, value, sizeof(T));
  }
  disk_ = std::make_unique<DiskState>(*request_.disk, request_.state_bytes(), key);
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
    base::parallel_for(0, to.size(), kFillGrain, [&](std::size_t begin, std::size_t end) {
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
  zero_wires_ = 0;
  rest_is_written_ = true;
  if (request_.initial_state) return load_initial_state();
  if (disk_ && disk_->keeps_journal() && !request_.segments.empty()) {  // its first pass starts it
    zero_wires_ = (std::uint64_t{1} << request_.code.wires) - 1;
    return;
  }
  const auto amplitudes = view();
  zero_wires_ = (std::uint64_t{1} << request_.code.wires) - 1;
  rest_is_written_ = false;
  if (disk_ && std::exchange(disk_is_new_, false)) rest_is_written_ = true;
  if (disk_) write_rest();
  std::fill_n(amplitudes.amplitudes, std::min(amplitudes.size(), kLongestVector), Amplitude(0));
  amplitudes.amplitudes[0] = 1;
}

template <class T>
void Walk<T>::write_rest() {
  if (std::exchange(rest_is_written_, true) || zero_wires_ == 0) return;
  const auto amplitudes = view();
  base::parallel_for(0, amplitudes.size(), kFillGrain, [&](std::size_t begin, std::size_t end) {
    control_.check("simulation");
    for (std::size_t i = begin; i < end; ++i)
      if ((i & zero_wires_) != 0) amplitudes.amplitudes[i] = 0;
  });
}

template <class T>
void Walk<T>::start() {
  part_.count = request_.shots;
  frame_.pc = request_.first_step;
  frame_.classical = unit_.initial(request_.classical_bits);
  start_state();
}

template <class T>
void Walk<T>::resume(Waiting next) {
  part_ = std::move(next.part);
  zero_wires_ = 0;
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
    frame_ = {request_.first_step, 0, unit_.initial(request_.classical_bits)};
    start_state();
    return;
  }
  copy_state(slots_[static_cast<std::size_t>(nearest->slot)], state_);
  frame_ = nearest->frame;
}

template <class T>
void Walk<T>::go() {
  go_to_tail();
  leaf();
  done_ += part_.weight;
}

template <class T>
void Walk<T>::evolve() {
  start();
  go_to_tail();
  if (!request_.tail_positions.empty()) sampler_.emplace(view(), budget_, control_);
}

template <class T>
void Walk<T>::go_to_tail() {
  while (frame_.pc < request_.code.tail) {
    const Step& step = request_.code.steps[frame_.pc];
    switch (step.kind) {
      case StepKind::gate: {
        const Segment& segment = *std::ranges::lower_bound(request_.segments, frame_.pc, {}, &Segment::begin);
        offer_to_leave(segment);
        run_segment(segment);
        break;
      }
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
  write_rest();
}

template <class T>
void Walk<T>::report_progress(std::uint32_t steps_done) {
  // A segment on a small state takes less time than telling so.
  if (!control_.progress || (request_.code.wires < 16 && steps_done % 256 != 0)) return;
  const double here = static_cast<double>(steps_done) / static_cast<double>(request_.code.tail);
  control_.report(done_ + part_.weight * here, "simulation");
}

// Only a way that is gates from its first step on: what was measured or computed is no part of a checkpoint.
template <class T>
void Walk<T>::offer_to_leave(const Segment& next) {
  if (!request_.leave || frame_.pc == request_.first_step || frame_.pc >= request_.leading_gates) return;
  double all = 0;
  for (const Segment& segment : request_.segments) all += static_cast<double>(segment.gates.size());
  const double done = frame_.pc - request_.first_step;
  if (!request_.leave({done / all, (done + static_cast<double>(next.gates.size())) / all, request_.state_bytes()}))
    return;
  write_rest();
  const std::uint64_t gates = frame_.pc;
  throw Interrupted(
      circuit_,
      {.method = "statevector", .gates = gates, .parts = {owning_tensor(std::move(state_), dtype_of<Amplitude>())}});
}

template <class T>
void Walk<T>::run_segment(const Segment& segment) {
  const auto value = [&](ExprId expr) { return unit_.evaluate(expr, frame_.classical).as_real(); };
  const GateList gates = segment.list(circuit_, request_.code);
  if (disk_) {
    run_on_disk(*disk_, segment, gates, value, zero_wires_, scratch_, control_);
    frame_.pc = segment.end;
    return;
  }
  const std::size_t items = segment.plan.items.size();
  const auto run_item = [&](const BoundSweeps<T>& sweeps, std::size_t at, std::size_t item) {
    if (segment.plan.items[item].is_whole) write_rest();
    zero_wires_ = sweeps.apply_item(at, view(), zero_wires_, scratch_, control_);
    const std::uint64_t steps = segment.end - segment.begin;
    report_progress(segment.begin + static_cast<std::uint32_t>(steps * (item + 1) / items));
  };
  auto& kept = bound_[static_cast<std::size_t>(&segment - request_.segments.data())];
  if (segment.plan.pieces.size() > kMaxKept) {
    for (std::size_t i = 0; i < items; ++i)
      run_item(BoundSweeps<T>(segment.plan, gates, value, i, i + 1, control_), 0, i);
  } else {
    if (!kept || !segment.is_static) kept.emplace(segment.plan, gates, value, 0, items, control_);
    for (std::size_t i = 0; i < items; ++i) run_item(*kept, i, i);
  }
  frame_.pc = segment.end;
}

template <class T>
double Walk<T>::uniform(std::uint64_t shot) const {
  base::Philox random(request_.seed, request_.first_shot + shot);
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
  write_rest();
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
  template void Walk<T>::evolve();                                                               \
  template double Walk<T>::uniform(std::uint64_t) const;
SKERRY_INSTANTIATE(float)
SKERRY_INSTANTIATE(double)
#undef SKERRY_INSTANTIATE

}  // namespace skerry::sim
