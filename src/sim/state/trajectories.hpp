/// \file
/// Runs a circuit whose steps depend on outcomes, for any kind of state: shots that have gone the same way share one.
///
/// At a measurement the set of shots parts by what each of them draws (for exact answers: by weight). The smaller part
/// goes on, the larger one waits with a copy of the state, so at most log2(shots) wait at once. Draw d of shot s is a
/// function of (seed, s, d), so that neither the order of parts nor threads change an outcome.
#pragma once

#include <algorithm>
#include <bit>
#include <functional>
#include <memory>
#include <numeric>
#include <optional>
#include <skerry/circuit.hpp>
#include <skerry/error.hpp>
#include <skerry/result.hpp>
#include <string>
#include <utility>
#include <vector>

#include "base/random.hpp"
#include "sim/method.hpp"
#include "sim/state/outcomes.hpp"
#include "sim/statevector/classical.hpp"
#include "sim/statevector/code.hpp"

namespace skerry::sim {

/// Halvings of a weight until it is negligible: 1e-15.
inline constexpr std::uint32_t kMaxWaiting = 50;

/// Most bits of a distribution that is put together from outcomes.
inline constexpr std::size_t kMaxSampledBits = 26;

/// States that may wait at once. coins: measurements and resets.
inline std::uint32_t most_waiting(bool has_loop, std::uint32_t coins, std::uint64_t shots) {
  const std::uint32_t most = has_loop ? kMaxWaiting : std::min(kMaxWaiting, coins);
  return shots == 0 ? most : std::min(most, static_cast<std::uint32_t>(std::bit_width(shots)) - 1);
}

/// Sets what the distribution that is asked for is over. Gives the reason why it cannot be told.
template <class Request>
std::optional<std::string> choose_distribution(const Circuit& circuit, const RunOptions& options, std::size_t most_bits,
                                               Request& request) {
  if (!options.want_probabilities) return std::nullopt;
  DistributionSubject subject = distribution_subject(circuit, options, request.code);
  request.want_distribution = true;
  request.distribution_of_bits = subject.is_bits;
  request.distribution_wires = std::move(subject.wires);
  if (subject.is_bits && options.shots != 0)
    return "the distribution of the bits of a circuit that measures midway is told without shots only";
  return refuse_distribution(subject.size, subject.is_bits, most_bits);
}

/// A state: `copy_from(other)`; `run_gates(pc, classical)` runs the gates that begin at a step and gives the step after
/// them; `probability_of_one(wire)`, exactly 0 or 1 where the outcome is sure; `project(wire, outcome)`; `flip(wire)`;
/// `expectation(observable)`; `add_distribution(weight, out)`.
/// A request: code, shots, seed, outcome_bits, classical_bits, observables, want_memory, want_distribution,
/// distribution_of_bits, distribution_bytes(), outcome_shape().
template <class State, class Request>
class Trajectories {
 public:
  /// make() makes a state at the circuit's start. All must outlive the run. Errors: budget_exceeded.
  template <class Make>
  Trajectories(const Circuit& circuit, const Request& request, const ClassicalUnit& unit, const Resources& resources,
               Make make)
      : circuit_(circuit),
        request_(request),
        budget_(resources.memory),
        control_(resources.control),
        unit_(unit),
        make_(make),
        expectations_(request.observables.size()) {
    state_ = make_();
    distribution_ = base::Buffer::allocate(request.distribution_bytes(), budget_, "probabilities");
    if (request.shots == 0) return;
    ids_charge_ = base::Reservation(budget_, sizeof(std::uint64_t) * request.shots, "shots by trajectory");
    ids_.resize(request.shots);
    std::iota(ids_.begin(), ids_.end(), std::uint64_t{0});
    outcomes_.emplace(request.outcome_shape(), budget_);
  }

  /// Errors: those of Program::run.
  CircuitResult run() {
    part_.count = request_.shots;
    frame_.classical = unit_.initial(request_.classical_bits);
    for (;;) {
      go();
      if (waiting_.empty()) return finish();
      Waiting next = std::move(waiting_.back());
      waiting_.pop_back();
      part_ = next.part;
      frame_ = std::move(next.frame);
      std::swap(state_, next.state);
      free_.push_back(std::move(next.state));
      decided_ = next.outcome;
    }
  }

 private:
  /// Exact answers leave out trajectories of less weight, so that repeat-until-success ends.
  static constexpr double kNegligibleWeight = 1e-15;
  /// An outcome of less probability is rounding.
  static constexpr double kImpossible = 1e-13;
  static constexpr std::uint64_t kMaxLeaves = std::uint64_t{1} << 22;

  /// Shots [first, first + count) of ids_ (exact: none), and the share of the whole that they are.
  struct Part {
    std::uint64_t first = 0, count = 0;
    double weight = 1.0;
  };
  struct Frame {
    std::uint32_t pc = 0, coins = 0;
    bool answered = false;  ///< the state before the last measurements has been asked
    Classical classical;
  };
  struct Waiting {
    Part part;
    Frame frame;
    std::unique_ptr<State> state;
    bool outcome = false;  ///< of the coin at which it waits
  };

  void go() {
    const auto size = static_cast<std::uint32_t>(request_.code.steps.size());
    while (frame_.pc < size) {
      if (frame_.pc >= request_.code.tail) answer();
      const Step& step = request_.code.steps[frame_.pc];
      switch (step.kind) {
        case StepKind::gate:
          frame_.pc = state_->run_gates(frame_.pc, frame_.classical);
          break;
        case StepKind::measure:
          frame_.classical.bits[step.b] = static_cast<std::uint8_t>(step.a != kIdle && measure(step.a));
          ++frame_.pc;
          break;
        case StepKind::reset:
          if (measure(step.a)) state_->flip(step.a);
          ++frame_.pc;
          break;
        case StepKind::assign:
        case StepKind::jump:
        case StepKind::jump_unless:
          frame_.pc = unit_.step(frame_.pc, frame_.classical, control_);
          break;
      }
      if (++steps_ % 64 == 0) control_.check("simulation");
      if (std::exchange(negligible_, false)) return;
    }
    answer();
    leaf();
    done_ += part_.weight;
    control_.report(done_, "simulation");
  }

  bool measure(std::uint32_t wire) {
    const double one = state_->probability_of_one(wire);
    if (one <= kImpossible || one >= 1.0 - kImpossible) {
      state_->project(wire, one > 0.5);
      return one > 0.5;
    }
    const bool found = coin(one);
    if (!negligible_) state_->project(wire, found);
    return found;
  }

  bool draws_one(std::uint64_t shot, double probability) const {
    base::Philox random(request_.seed, shot);
    random.seek(2 * std::uint64_t{frame_.coins});
    return random.uniform() < probability;
  }

  /// Which outcome this part goes on with; the other part waits.
  bool coin(double one) {
    if (decided_) {
      ++frame_.coins;
      return *std::exchange(decided_, std::nullopt);
    }
    const bool chosen = request_.shots == 0 ? part_weight(one) : part_shots(one);
    ++frame_.coins;
    return chosen;
  }

  bool part_weight(double one) {
    const bool chosen = one <= 0.5;
    Part other = part_;
    part_.weight *= chosen ? one : 1.0 - one;
    other.weight -= part_.weight;
    negligible_ = part_.weight <= kNegligibleWeight;
    if (other.weight <= kNegligibleWeight) return chosen;
    // Too little to go on with: the other part goes on instead.
    if (std::exchange(negligible_, false)) {
      part_ = other;
      return !chosen;
    }
    wait(other, !chosen);
    return chosen;
  }

  bool part_shots(double one) {
    Part other = part_;
    const auto begin = ids_.begin() + static_cast<std::ptrdiff_t>(part_.first);
    const auto end = begin + static_cast<std::ptrdiff_t>(part_.count);
    const auto middle = std::partition(begin, end, [&](std::uint64_t shot) { return !draws_one(shot, one); });
    const auto zeros = static_cast<std::uint64_t>(middle - begin), ones = part_.count - zeros;
    const bool chosen = ones != 0 && (zeros == 0 || ones < zeros);
    (chosen ? part_ : other).first += zeros;
    part_.count = chosen ? ones : zeros;
    other.count = chosen ? zeros : ones;
    for (Part* part : {&part_, &other})
      part->weight = static_cast<double>(part->count) / static_cast<double>(request_.shots);
    if (other.count != 0) wait(other, !chosen);
    return chosen;
  }

  /// The other part waits before its coin, at the step that is being run.
  void wait(Part part, bool outcome) {
    if (++leaves_ > kMaxLeaves) {
      throw Error(ErrorCode::limit_exceeded,
                  "the program has more than " + std::to_string(kMaxLeaves) + " trajectories", {},
                  "ask for fewer shots, or for shots instead of exact answers");
    }
    std::unique_ptr<State> copy;
    if (free_.empty()) {
      copy = make_();
    } else {
      copy = std::move(free_.back());
      free_.pop_back();
    }
    copy->copy_from(*state_);
    waiting_.push_back({part, frame_, std::move(copy), outcome});
  }

  void answer() {
    if (std::exchange(frame_.answered, true)) return;
    for (std::size_t i = 0; i < request_.observables.size(); ++i)
      expectations_[i] += part_.weight * state_->expectation(request_.observables[i]);
    if (!request_.want_distribution || request_.distribution_of_bits) return;
    state_->add_distribution(part_.weight, distribution_.as<double>());
  }

  void leaf() {
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

  CircuitResult finish() {
    free_.clear();
    state_.reset();
    ids_.clear();
    ids_.shrink_to_fit();
    ids_charge_.reset();
    CircuitResult result;
    result.expectations = expectations_;
    if (request_.want_distribution) result.probabilities = owning_tensor(std::move(distribution_), DType::f64);
    if (outcomes_) outcomes_->give(result);
    give_outputs(circuit_, last_variables_, result);
    return result;
  }

  const Circuit& circuit_;
  const Request& request_;
  base::MemoryBudget budget_;
  const RunControl& control_;
  const ClassicalUnit& unit_;
  std::function<std::unique_ptr<State>()> make_;
  std::unique_ptr<State> state_;
  std::vector<std::unique_ptr<State>> free_;
  base::Buffer distribution_;
  base::Reservation ids_charge_;
  std::vector<std::uint64_t> ids_;
  std::optional<Outcomes> outcomes_;
  std::vector<double> expectations_;
  std::vector<Scalar> last_variables_;
  std::vector<Waiting> waiting_;
  Part part_;
  Frame frame_;
  std::optional<bool> decided_;  // outcome of the coin at which a resumed part waited
  bool negligible_ = false;      // this trajectory is left out of exact answers
  double done_ = 0.0;
  std::uint64_t leaves_ = 0, steps_ = 0;
};

}  // namespace skerry::sim
