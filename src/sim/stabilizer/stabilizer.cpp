#include <algorithm>
#include <cmath>
#include <memory>
#include <skerry/error.hpp>
#include <string>

#include "base/threads.hpp"
#include "sim/method.hpp"
#include "sim/stabilizer/answers.hpp"
#include "sim/stabilizer/request.hpp"
#include "sim/stabilizer/straight.hpp"
#include "sim/stabilizer/tableau.hpp"
#include "sim/state/questions.hpp"
#include "sim/state/trajectories.hpp"

namespace skerry::sim {
namespace {

constexpr double kGuessedRounds = 4.0;

/// A tableau as trajectories want it.
class TableauState {
 public:
  TableauState(const StabilizerRequest& request, const base::MemoryBudget& budget)
      : request_(request), tableau_(request.wires(), budget) {}
  void copy_from(const TableauState& other) { tableau_.copy_from(other.tableau_); }
  std::uint32_t run_gates(std::uint32_t pc, const Classical& /*values*/) {
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
  const StabilizerRequest& request_;
  Tableau tableau_;
};

class StabilizerProgram final : public Program {
 public:
  StabilizerProgram(const Circuit& circuit, StabilizerRequest request)
      : declared_(circuit.parameters()), request_(std::move(request)) {
    if (request_.branches) circuit_ = circuit;  // whose expressions are computed at run time
  }

  CircuitResult run(std::span<const double> parameters, const Resources& resources) const override {
    std::vector<Scalar> values = parameter_scalars(declared_, parameters);
    if (!request_.branches) return run_straight(request_, resources);
    const ClassicalUnit unit(circuit_, request_.code, std::move(values));
    const auto make = [&] { return std::make_unique<TableauState>(request_, resources.memory); };
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
  double runs = 1.0, frames = 0.0;
  if (request.branches) {
    const double coins = measured * (request.code.has_loop ? kGuessedRounds : 1.0);
    const double leaves = request.shots != 0 ? shots : std::exp2(20.0);
    runs = std::min(std::exp2(std::min(coins, 60.0)), leaves);
    words += wires * 2 * row;  // a copy for each part
  } else if (request.shots != 0) {
    const double batch = 64.0 * static_cast<double>(request.frame_words);
    frames = std::ceil(shots / batch) * static_cast<double>(request.frame_words) * (2 * gates + 4 * measured + wires);
  }
  for (const Observable& observable : request.observables)
    words += runs * static_cast<double>(observable.terms().size()) * wires * row;
  return {{kernels::Rate::pauli_word, runs * words + frames},
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
