#include <algorithm>
#include <cmath>
#include <memory>
#include <skerry/error.hpp>
#include <string>

#include "base/threads.hpp"
#include "sim/method.hpp"
#include "sim/stabilizer/answers.hpp"
#include "sim/stabilizer/carried.hpp"
#include "sim/stabilizer/request.hpp"
#include "sim/stabilizer/straight.hpp"
#include "sim/stabilizer/tableau.hpp"
#include "sim/state/leaving.hpp"
#include "sim/state/questions.hpp"
#include "sim/state/trajectories.hpp"

namespace skerry::sim {
namespace {

constexpr double kGuessedRounds = 4.0;
constexpr std::uint32_t kAskSteps = 1024;  // steps between two questions whether to leave

/// A tableau as trajectories want it.
class TableauState {
 public:
  TableauState(const Circuit& circuit, const StabilizerRequest& request, const base::MemoryBudget& budget)
      : circuit_(circuit), request_(request), tableau_(request.wires(), budget) {}
  void copy_from(const TableauState& other) {
    tableau_.copy_from(other.tableau_);
    is_begun_ = true;
  }
  std::uint32_t run_gates(std::uint32_t pc, const Classical& /*values*/) {
    if (!std::exchange(is_begun_, true) && pc == 0 && request_.resume) {
      take_up(*request_.resume, tableau_, 0);
      first_ = behind(*request_.resume, request_.leading);
      if (first_ != 0) return first_;
    }
    if (request_.leave && pc < request_.leading && pc % kAskSteps == 0 && pc > first_) offer_to_leave(pc);
    for (const StabilizerStep& gate : request_.gates_of(pc)) tableau_.apply(gate);
    return pc + 1;
  }
  double probability_of_one(std::uint32_t wire) const {
    const auto known = tableau_.outcome(wire);
    return known ? static_cast<double>(*known) : 0.5;
  }
  void project(std::uint32_t wire, bool found) {
    if (!tableau_.outcome(wire)) tableau_.project(wire, found);
  }
  void flip(std::uint32_t wire) { tableau_.flip(wire); }
  double expectation(const Observable& observable) const {
    return sim::expectation(tableau_, observable, request_.code.positions);
  }
  void add_distribution(double weight, std::span<double> out) const {
    sim::add_distribution(tableau_, request_.distribution_wires, request_.code.positions, weight, out);
  }

 private:
  /// Before its first outcome: what others share is no part of a checkpoint.
  void offer_to_leave(std::uint32_t pc) const {
    // In rows of the tableau: a gate changes one or two, a measurement a quarter of all.
    const auto gates_to = [&](std::uint32_t step) { return 1.5 * static_cast<double>(request_.first[step]); };
    const double all = gates_to(static_cast<std::uint32_t>(request_.code.steps.size())) - gates_to(first_) +
                       0.5 * request_.records * request_.wires();
    const double done = gates_to(pc) - gates_to(first_);
    const double next = gates_to(std::min(pc + kAskSteps, request_.leading)) - gates_to(first_);
    if (request_.leave({done / all, next / all, Tableau::bytes(request_.wires())}))
      throw Interrupted(circuit_, carried(tableau_, pc, {}));
  }

  const Circuit& circuit_;
  const StabilizerRequest& request_;
  Tableau tableau_;
  std::uint32_t first_ = 0;
  bool is_begun_ = false;
};

class StabilizerProgram final : public Program {
 public:
  StabilizerProgram(const Circuit& circuit, StabilizerRequest request)
      : declared_(circuit.parameters()), request_(std::move(request)) {
    // Expressions are computed at run time; who leaves takes the circuit along.
    if (request_.branches || request_.leave) circuit_ = circuit;
  }

  CircuitResult run(std::span<const double> parameters, const Resources& resources) const override {
    std::vector<Scalar> values = parameter_scalars(declared_, parameters);
    if (!request_.branches) return run_straight(circuit_, request_, resources);
    const ClassicalUnit unit(circuit_, request_.code, std::move(values));
    const auto make = [&] { return std::make_unique<TableauState>(circuit_, request_, resources.memory); };
    return Trajectories<TableauState, StabilizerRequest>(circuit_, request_, unit, resources, make).run();
  }

 private:
  std::vector<Parameter> declared_;
  Circuit circuit_;
  StabilizerRequest request_;
};

/// Words of Pauli rows and frames that are read and written.
std::vector<kernels::Work> price(const StabilizerRequest& request) {
  const auto wires = static_cast<double>(request.wires());
  const double row = static_cast<double>(Tableau::bytes(request.wires())) / (8 * (2 * wires + 1));
  const auto gates = static_cast<double>(request.gates.size());
  const auto shots = static_cast<double>(request.shots);
  const double measured = static_cast<double>(request.records) + request.code.random_steps;
  // Half the rows of a table change in a projection, and half the measurements are projections.
  double words = 1.5 * gates * row + 0.5 * measured * wires * row;
  double runs = 1.0;
  if (request.branches) {
    const double coins = measured * (request.code.has_loop ? kGuessedRounds : 1.0);
    const double leaves = request.shots != 0 ? shots : std::exp2(20.0);
    runs = std::min(std::exp2(std::min(coins, 60.0)), leaves);
    words += wires * 2 * row;  // a copy for each part
  }
  for (const Observable& observable : request.observables)
    words += runs * static_cast<double>(observable.terms().size()) * wires * row;
  return {{kernels::Rate::pauli_word, runs * words + frame_words(request)},
          {kernels::Rate::gate, 0.1 * runs * (gates + static_cast<double>(request.code.steps.size()))},
          {kernels::Rate::draw, 0.3 * shots * static_cast<double>(1 + request.outcome_shape().words())},
          {kernels::Rate::first_touch, static_cast<double>(request.peak_bytes(base::thread_budget()))}};
}

Expected<Estimate> estimate(const Circuit& circuit, const RunOptions& options) {
  auto request = make_stabilizer_request(circuit, options);
  if (!request) return Unexpected{request.error()};
  const int threads =
      options.limits.threads > 0 ? std::min(options.limits.threads, base::thread_budget()) : base::thread_budget();
  Estimate estimate{.peak_bytes = request->peak_bytes(threads), .work = price(*request), .rounding = 0.0};
  // shared: a std::function is copied, and what it holds is handed over once.
  auto held = std::make_shared<StabilizerRequest>(std::move(request).value());
  estimate.prepare = [held, &circuit] { return std::make_unique<StabilizerProgram>(circuit, std::move(*held)); };
  return estimate;
}

std::unique_ptr<Program> prepare(const Circuit& circuit, const RunOptions& options) {
  auto request = make_stabilizer_request(circuit, options);
  if (!request) throw Error(ErrorCode::unsupported, request.error(), "stabilizer");
  return std::make_unique<StabilizerProgram>(circuit, std::move(request).value());
}

}  // namespace

extern const Method stabilizer_method;
const Method stabilizer_method = {
    .name = "stabilizer",
    .help = "Clifford circuits by their symmetries: thousands of wires, measurement, reset and classical control",
    .estimate = estimate,
    .prepare = prepare,
};

}  // namespace skerry::sim
