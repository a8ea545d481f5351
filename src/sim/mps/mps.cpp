#include <algorithm>
#include <array>
#include <cmath>
#include <memory>
#include <skerry/error.hpp>
#include <string>

#include "base/random.hpp"
#include "sim/method.hpp"
#include "sim/mps/request.hpp"
#include "sim/state/leaving.hpp"
#include "sim/state/masks.hpp"
#include "sim/state/questions.hpp"
#include "sim/state/trajectories.hpp"

namespace skerry::sim {
namespace {

/// Largest error of the chains of one run; a run's trajectories cut each for itself.
struct ChainReport {
  double discarded = 0.0, error_bound = 0.0;
  std::uint32_t widest = 1;
};

/// A chain as trajectories want it.
class ChainState {
 public:
  ChainState(const Circuit& circuit, const MpsRequest& request, const ClassicalUnit& unit, const Resources& resources,
             ChainReport& report)
      : circuit_(circuit),
        request_(request),
        unit_(unit),
        control_(resources.control),
        report_(report),
        chain_(request.wires(), request.limit, request.chain_bytes, resources.memory) {}

  void copy_from(const ChainState& other) {
    chain_.copy_from(other.chain_);
    is_begun_ = true;
  }

  std::uint32_t run_gates(std::uint32_t pc, const Classical& values) {
    const std::uint32_t end = request_.run_end[pc];
    // What comes before the first outcome may be left, and gone on with: later, others share it.
    const bool is_first = !std::exchange(is_begun_, true) && pc == 0;
    if (is_first && request_.resume) take_up(*request_.resume, end);
    const bool may_leave = is_first && request_.leave;
    if (may_leave) is_done_.resize(end);
    for (std::uint32_t i = 0; i < end - pc; ++i) {
      const std::uint32_t step = request_.gates[request_.run_begin[pc] + i].step;
      if (is_first && !is_done_.empty() && is_done_[step] != 0) continue;
      if (may_leave) offer_to_leave(end, i);
      if (i % 16 == 0) {
        control_.check("simulation");
        control_.report(static_cast<double>(pc + i) / static_cast<double>(request_.code.steps.size()), "simulation");
      }
      gate(request_.gates[request_.run_begin[pc] + i], values);
      if (may_leave) is_done_[step] = 1;
    }
    is_done_.clear();
    report_.discarded = std::max(report_.discarded, chain_.discarded());
    report_.error_bound = std::max(report_.error_bound, chain_.error_bound());
    report_.widest = std::max(report_.widest, chain_.widest_bond());
    return end;
  }
  double probability_of_one(std::uint32_t wire) { return chain_.probability_of_one(wire); }
  void project(std::uint32_t wire, bool found) { chain_.project(wire, found); }
  void flip(std::uint32_t wire) {
    constexpr std::array<Complex, 4> kX = {0, 1, 1, 0};
    chain_.apply({&wire, 1}, kX, true);
  }

  double expectation(const Observable& observable) {
    const std::size_t words = (std::size_t{request_.wires()} + 63) / 64;
    std::vector<std::uint64_t> x(words), z(words);
    double sum = 0.0;
    for (const PauliTerm& term : observable.terms()) {
      std::ranges::fill(x, 0);
      std::ranges::fill(z, 0);
      bool vanishes = false;  // an idle wire is in |0>: X and Y have expectation 0 there, Z has 1
      for (std::uint32_t wire = 0; wire < observable.num_wires(); ++wire) {
        const bool has_x = (term.x[wire / 64] >> (wire % 64) & 1) != 0;
        const bool has_z = (term.z[wire / 64] >> (wire % 64) & 1) != 0;
        const std::uint32_t position = request_.code.positions[wire];
        if (position == kIdle) {
          vanishes = vanishes || has_x;
          continue;
        }
        x[position / 64] |= std::uint64_t{has_x} << (position % 64);
        z[position / 64] |= std::uint64_t{has_z} << (position % 64);
      }
      if (!vanishes) sum += term.coefficient * chain_.expectation(x, z);
    }
    return sum;
  }

  void add_distribution(double weight, std::span<double> out) {
    std::vector<std::uint32_t> wires;
    std::vector<std::size_t> places;
    for (std::size_t i = 0; i < request_.distribution_wires.size(); ++i) {
      const std::uint32_t position = request_.code.positions[request_.distribution_wires[i]];
      if (position == kIdle) continue;
      wires.push_back(position);
      places.push_back(i);
    }
    std::vector<double> table(std::size_t{1} << wires.size());
    chain_.add_distribution(wires, weight, table);
    for (std::size_t outcome = 0; outcome < table.size(); ++outcome) {
      std::size_t spread = 0;
      for (std::size_t j = 0; j < places.size(); ++j) spread |= (outcome >> j & 1) << places[j];
      out[spread] += table[outcome];
    }
  }

  Chain& chain() { return chain_; }

 private:
  static constexpr double kGateFlops = 1e4;   // what a gate takes however small its tensors are
  static constexpr double kOfferFlops = 1e7;  // between two questions whether to leave

  // Which gates are behind a checkpoint is told one by one: another version may put them in another order.
  void take_up(const Checkpoint& from, std::uint32_t leading) {
    const auto done = checkpoint_part<std::uint8_t>(from, 5, leading);
    require_checkpoint(from.parts.size() == 6 &&
                           std::ranges::all_of(done, [](auto is_behind) { return is_behind <= 1; }) &&
                           static_cast<std::uint64_t>(std::ranges::count(done, 1)) == from.gates,
                       "its gates are not those that are behind it");
    chain_.take_up(from, request_.chain_bytes);
    is_done_.assign(done.begin(), done.end());
  }

  void offer_to_leave(std::uint32_t leading, std::uint32_t next) {
    const std::span<const ChainGate> gates = request_.gates;
    if (all_flops_ == 0.0)
      for (const ChainGate& gate : gates)
        if (gate.step >= leading || is_done_[gate.step] == 0) all_flops_ += gate.flops + kGateFlops;
    const double flops = gates[next].flops + kGateFlops;
    if (done_flops_ != 0.0 && unasked_flops_ + flops > kOfferFlops) {
      unasked_flops_ = 0.0;
      const double ahead = std::min(all_flops_, done_flops_ + std::max(flops, kOfferFlops));
      if (request_.leave({done_flops_ / all_flops_, ahead / all_flops_, chain_.bytes()})) leave(leading);
    }
    unasked_flops_ += flops;
    done_flops_ += flops;
  }

  [[noreturn]] void leave(std::uint32_t leading) const {
    Checkpoint out{
        .method = "mps", .gates = static_cast<std::uint64_t>(std::ranges::count(is_done_, 1)), .parts = chain_.parts()};
    out.parts.push_back(Tensor::from<std::uint8_t>(is_done_, {std::int64_t{leading}}));
    throw Interrupted(circuit_, std::move(out));
  }

  void gate(const ChainGate& gate, const Classical& values) {
    const Step& step = request_.code.steps[gate.step];
    const Instruction instruction = circuit_.blocks()[step.b][step.a];
    std::array<double, 3> angles{};
    for (std::size_t i = 0; i < instruction.params.size(); ++i) {
      const Param& param = instruction.params[i];
      angles[i] = param.is_constant() ? param.value : unit_.evaluate(param.expr, values).as_real();
      if (!std::isfinite(angles[i])) {
        throw Error(ErrorCode::invalid_argument, "parameter " + std::to_string(i) + " of " +
                                                     std::string(op_name(instruction.op)) + " is not a finite number");
      }
    }
    chain_.apply(chain_wires(instruction, request_.code.positions),
                 chain_matrix(circuit_, instruction, std::span(angles).first(instruction.params.size())),
                 gate.forwards);
  }

  const Circuit& circuit_;
  const MpsRequest& request_;
  const ClassicalUnit& unit_;
  const RunControl& control_;
  ChainReport& report_;
  Chain chain_;
  bool is_begun_ = false;
  std::vector<std::uint8_t> is_done_;  // by step of the first run; empty: none, and nobody asks
  double all_flops_ = 0.0, done_flops_ = 0.0, unasked_flops_ = 0.0;
};

/// One state for all answers.
class OneChain {
 public:
  OneChain(const Circuit& circuit, const MpsRequest& request, const ClassicalUnit& unit, const Resources& resources,
           ChainReport& report)
      : request_(request), budget_(resources.memory), control_(resources.control) {
    state_ = std::make_unique<ChainState>(circuit, request, unit, resources, report);
    classical_ = unit.initial(request.classical_bits);
  }

  CircuitResult run() {
    for (std::uint32_t pc = 0; pc < request_.code.tail;) pc = state_->run_gates(pc, classical_);
    CircuitResult result;
    for (const Observable& observable : request_.observables)
      result.expectations.push_back(state_->expectation(observable));
    if (request_.want_distribution) {
      auto table = base::Buffer::allocate(request_.distribution_bytes(), budget_, "probabilities");
      state_->add_distribution(1.0, table.as<double>());
      result.probabilities = owning_tensor(std::move(table), DType::f64);
    }
    for (const std::string& bits : request_.amplitudes) result.amplitudes.push_back(amplitude(bits));
    if (request_.want_state) result.state = state();
    if (request_.shots == 0) return result;
    Outcomes outcomes(request_.outcome_shape(), budget_);
    sample(outcomes);
    state_.reset();
    outcomes.give(result);
    return result;
  }

 private:
  Complex amplitude(const std::string& bits) {
    for (Wire wire = 0; wire < bits.size(); ++wire)  // an idle wire is in |0>
      if (bits[bits.size() - 1 - wire] == '1' && request_.code.positions[wire] == kIdle) return 0.0;
    std::vector<bool> is_one(request_.wires());
    for (Wire wire = 0; wire < bits.size(); ++wire)
      if (request_.code.positions[wire] != kIdle)
        is_one[request_.code.positions[wire]] = bits[bits.size() - 1 - wire] == '1';
    return state_->chain().amplitude([&](std::uint32_t wire) { return is_one[wire]; });
  }

  State state() {
    const base::Reservation charge(budget_, 2 * sizeof(Complex) << request_.code.wires, "amplitudes in the making");
    auto buffer = base::Buffer::allocate(request_.state_bytes(), budget_, "state vector");
    const std::vector<Complex> amplitudes = state_->chain().amplitudes();
    if (request_.precision == Precision::single_precision) {
      std::ranges::transform(amplitudes, buffer.as<std::complex<float>>().begin(),
                             [](Complex a) { return std::complex<float>(a); });
      return State(owning_tensor(std::move(buffer), DType::c64));
    }
    std::ranges::copy(amplitudes, buffer.as<Complex>().begin());
    return State(owning_tensor(std::move(buffer), DType::c128));
  }

  void sample(Outcomes& outcomes) {
    Chain& chain = state_->chain();
    chain.prepare_sampling();
    // Bits that each wire is measured into; a later measurement of a bit wins.
    std::vector<std::vector<std::uint32_t>> bits_of(request_.wires());
    std::vector<std::uint32_t> wire_of(request_.outcome_bits, kIdle);
    for (std::size_t i = request_.code.tail; i < request_.code.steps.size(); ++i)
      wire_of[request_.code.steps[i].b] = request_.code.steps[i].a;
    for (std::uint32_t bit = 0; bit < request_.outcome_bits; ++bit)
      if (wire_of[bit] != kIdle) bits_of[wire_of[bit]].push_back(bit);
    outcomes.record(
        0, request_.shots, control_, [](std::uint64_t shot) { return shot; },
        [&](std::uint64_t shot, std::span<std::uint64_t> out) {
          base::Philox random(request_.seed, shot);
          chain.sample([&](std::uint32_t) { return random.uniform(); },
                       [&](std::uint32_t wire, bool found) {
                         for (const std::uint32_t bit : bits_of[wire])
                           out[bit / 64] |= std::uint64_t{found} << (bit % 64);
                       });
        });
  }

  const MpsRequest& request_;
  base::MemoryBudget budget_;
  const RunControl& control_;
  std::unique_ptr<ChainState> state_;
  Classical classical_;
};

class MpsProgram final : public Program {
 public:
  MpsProgram(Circuit circuit, MpsRequest request) : circuit_(std::move(circuit)), request_(std::move(request)) {}

  CircuitResult run(std::span<const double> parameters, const Resources& resources) const override {
    const ClassicalUnit unit(circuit_, request_.code, parameter_scalars(circuit_.parameters(), parameters));
    ChainReport report;
    const auto make = [&] { return std::make_unique<ChainState>(circuit_, request_, unit, resources, report); };
    CircuitResult result = request_.branches
                               ? Trajectories<ChainState, MpsRequest>(circuit_, request_, unit, resources, make).run()
                               : OneChain(circuit_, request_, unit, resources, report).run();
    result.discarded_weight = report.discarded;
    result.error_bound = report.error_bound;
    result.bond_dimension = report.widest;
    return result;
  }

 private:
  Circuit circuit_;
  MpsRequest request_;
};

std::vector<kernels::Work> price(const MpsRequest& request) {
  const auto shots = static_cast<double>(request.shots), wires = static_cast<double>(request.wires());
  const auto bond = static_cast<double>(request.widest);
  double runs = 1.0, answers = 0.0;
  if (request.branches)
    runs = std::min(std::exp2(std::min<double>(request.waiting, 20.0)), request.shots != 0 ? shots : std::exp2(20.0));
  else
    answers += (shots + static_cast<double>(request.amplitudes.size())) * wires * 16 * bond * bond;
  for (const Observable& observable : request.observables)
    answers += static_cast<double>(observable.terms().size()) * wires * 32 * bond * bond * bond;
  if (request.want_distribution) answers += static_cast<double>(request.distribution_bytes()) * 32 * bond * bond * bond;
  return {{kernels::Rate::bond_flop, runs * request.flops + answers},
          {kernels::Rate::gate, 10 * runs * request.updates},
          {kernels::Rate::first_touch, static_cast<double>(request.peak_bytes())}};
}

Expected<Estimate> estimate(const Circuit& circuit, const RunOptions& options) {
  auto request = make_mps_request(circuit, options);
  if (!request) return Unexpected{request.error()};
  Estimate estimate{request->peak_bytes(), price(*request), request->may_truncate, std::nullopt};
  // shared: a std::function is copied, and what it holds is handed over once.
  auto held = std::make_shared<MpsRequest>(std::move(request).value());
  estimate.prepare = [held, &circuit] { return std::make_unique<MpsProgram>(circuit, std::move(*held)); };
  return estimate;
}

std::unique_ptr<Program> prepare(const Circuit& circuit, const RunOptions& options) {
  auto request = make_mps_request(circuit, options);
  if (!request) throw Error(ErrorCode::unsupported, request.error(), "mps");
  return std::make_unique<MpsProgram>(circuit, std::move(request).value());
}

}  // namespace

extern const Method mps_method;
const Method mps_method = {
    .name = "mps",
    .help = "a chain of tensors; many wires of little entanglement, cut off at max_bond_dimension if that is set",
    .estimate = estimate,
    .prepare = prepare,
    .gives_amplitudes = true,
};

}  // namespace skerry::sim
