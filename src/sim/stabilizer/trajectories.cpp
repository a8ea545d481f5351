#include "sim/stabilizer/trajectories.hpp"

#include <algorithm>
#include <numeric>
#include <skerry/error.hpp>
#include <string>

#include "base/random.hpp"
#include "sim/stabilizer/answers.hpp"

namespace skerry::sim {
namespace {

/// Exact answers leave out trajectories of less weight, so that repeat-until-success ends.
constexpr double kNegligibleWeight = 1e-15;
constexpr std::uint64_t kMaxLeaves = std::uint64_t{1} << 22;

}  // namespace

Trajectories::Trajectories(const Circuit& circuit, const StabilizerRequest& request, std::vector<Scalar> parameters,
                           const Resources& resources)
    : circuit_(circuit),
      request_(request),
      budget_(resources.memory),
      control_(resources.control),
      unit_(circuit, request.code, std::move(parameters)),
      expectations_(request.observables.size()) {
  tableau_ = std::make_unique<Tableau>(request.wires(), budget_);
  distribution_ = base::Buffer::allocate(request.distribution_bytes(), budget_, "probabilities");
  if (request.shots == 0) return;
  ids_charge_ = base::Reservation(budget_, sizeof(std::uint64_t) * request.shots, "shots by trajectory");
  ids_.resize(request.shots);
  std::iota(ids_.begin(), ids_.end(), std::uint64_t{0});
  outcomes_.emplace(request.outcome_shape(), budget_);
}

CircuitResult Trajectories::run() {
  part_.count = request_.shots;
  frame_.classical = unit_.initial(request_.classical_bits);
  for (;;) {
    go();
    if (waiting_.empty()) return finish();
    Waiting next = std::move(waiting_.back());
    waiting_.pop_back();
    part_ = next.part;
    frame_ = std::move(next.frame);
    std::swap(tableau_, next.tableau);
    free_.push_back(std::move(next.tableau));
    decided_ = next.outcome;
  }
}

void Trajectories::go() {
  const auto size = static_cast<std::uint32_t>(request_.code.steps.size());
  while (frame_.pc < size) {
    if (frame_.pc >= request_.code.tail) answer();
    const Step& step = request_.code.steps[frame_.pc];
    switch (step.kind) {
      case StepKind::gate:
        for (const StabilizerStep& gate : request_.gates_of(frame_.pc)) tableau_->apply(gate);
        ++frame_.pc;
        break;
      case StepKind::measure:
        frame_.classical.bits[step.b] = static_cast<std::uint8_t>(step.a != kIdle && measure(step.a));
        ++frame_.pc;
        break;
      case StepKind::reset:
        if (measure(step.a)) tableau_->flip(step.a);
        ++frame_.pc;
        break;
      case StepKind::assign:
      case StepKind::jump:
      case StepKind::jump_unless:
        frame_.pc = unit_.step(frame_.pc, frame_.classical, control_);
        break;
    }
    if (frame_.pc % 256 == 0) control_.check("stabilizer simulation");
    if (std::exchange(negligible_, false)) return;
  }
  answer();
  leaf();
  done_ += part_.weight;
  control_.report(done_, "simulation");
}

bool Trajectories::measure(std::uint32_t wire) {
  if (const auto known = tableau_->outcome(wire)) return *known;
  const bool found = coin();
  tableau_->project(wire, found);
  return found;
}

bool Trajectories::draws_one(std::uint64_t shot) const {
  base::Philox random(request_.seed, shot);
  random.seek(frame_.coins);
  return (random() >> 31) != 0;
}

bool Trajectories::coin() {
  if (decided_) {
    ++frame_.coins;
    return *std::exchange(decided_, std::nullopt);
  }
  Part other = part_;
  bool chosen = false;
  if (request_.shots == 0) {
    other.weight = part_.weight / 2;
    part_.weight = other.weight;
    if (other.weight > kNegligibleWeight)
      wait(other, true);
    else
      negligible_ = true;
  } else {
    const auto begin = ids_.begin() + static_cast<std::ptrdiff_t>(part_.first);
    const auto end = begin + static_cast<std::ptrdiff_t>(part_.count);
    const auto middle = std::partition(begin, end, [&](std::uint64_t shot) { return !draws_one(shot); });
    const auto zeros = static_cast<std::uint64_t>(middle - begin), ones = part_.count - zeros;
    chosen = ones != 0 && (zeros == 0 || ones < zeros);
    (chosen ? part_ : other).first += zeros;
    part_.count = chosen ? ones : zeros;
    other.count = chosen ? zeros : ones;
    for (Part* part : {&part_, &other})
      part->weight = static_cast<double>(part->count) / static_cast<double>(request_.shots);
    if (other.count != 0) wait(other, !chosen);
  }
  ++frame_.coins;
  return chosen;
}

/// The other part waits before its coin, at the step that is being run.
void Trajectories::wait(Part part, bool outcome) {
  if (++leaves_ > kMaxLeaves) {
    throw Error(ErrorCode::limit_exceeded, "the program has more than " + std::to_string(kMaxLeaves) + " trajectories",
                {}, "ask for fewer shots, or for shots instead of exact answers");
  }
  std::unique_ptr<Tableau> copy;
  if (free_.empty()) {
    copy = std::make_unique<Tableau>(request_.wires(), budget_);
  } else {
    copy = std::move(free_.back());
    free_.pop_back();
  }
  copy->copy_from(*tableau_);
  waiting_.push_back({part, frame_, std::move(copy), outcome});
}

void Trajectories::answer() {
  if (std::exchange(frame_.answered, true)) return;
  for (std::size_t i = 0; i < request_.observables.size(); ++i)
    expectations_[i] += part_.weight * expectation(*tableau_, request_.observables[i], request_.code.positions);
  if (!request_.want_distribution || request_.distribution_of_bits) return;
  add_distribution(*tableau_, request_.distribution_wires, request_.code.positions, part_.weight,
                   distribution_.as<double>());
}

void Trajectories::leaf() {
  const auto& bits = frame_.classical.bits;
  if (request_.want_distribution && request_.distribution_of_bits) {
    std::size_t index = 0;
    for (std::uint32_t i = 0; i < request_.outcome_bits; ++i) index |= std::size_t{bits[i]} << i;
    distribution_.as<double>()[index] += part_.weight;
  }
  const bool has_coins = request_.code.has_measure || request_.code.random_steps != 0;
  if (request_.shots == 0) {
    // Without shots the outputs are told where they are sure.
    if (!has_coins) last_variables_ = frame_.classical.variables;
    return;
  }
  outcomes_->record(
      part_.first, part_.count, control_, [&](std::uint64_t i) { return ids_[i]; },
      [&](std::uint64_t, std::span<std::uint64_t> out) {
        for (std::uint32_t i = 0; i < request_.outcome_bits; ++i) out[i / 64] |= std::uint64_t{bits[i]} << (i % 64);
      });
  const auto begin = ids_.begin() + static_cast<std::ptrdiff_t>(part_.first);
  const auto end = begin + static_cast<std::ptrdiff_t>(part_.count);
  if (std::find(begin, end, request_.shots - 1) != end) last_variables_ = frame_.classical.variables;
}

CircuitResult Trajectories::finish() {
  free_.clear();
  tableau_.reset();
  ids_.clear();
  ids_.shrink_to_fit();
  ids_charge_.reset();
  CircuitResult result;
  result.expectations = expectations_;
  if (request_.want_distribution) {
    auto owner = std::make_shared<base::Buffer>(std::move(distribution_));  // shared: the tensor keeps it
    const auto entries = static_cast<std::int64_t>(owner->as<double>().size());
    result.probabilities = Tensor(TensorView(DType::f64, {entries}, owner->data()), owner);
  }
  if (outcomes_) {
    result.counts = outcomes_->counts();
    if (request_.want_memory) result.memory = outcomes_->take_memory();
  }
  for (std::size_t i = 0; i < last_variables_.size(); ++i) {
    const Variable& variable = circuit_.variables()[i];
    if (variable.is_output) result.outputs[variable.name] = last_variables_[i].as_real();
  }
  return result;
}

}  // namespace skerry::sim
