#include <algorithm>
#include <cmath>
#include <skerry/error.hpp>
#include <string>

#include "sim/method.hpp"
#include "sim/state/questions.hpp"
#include "sim/trajectories/trajectory_run.hpp"

namespace skerry::sim {
namespace {

/// A batch of more wires is beyond every machine this is for.
constexpr int kMaxWires = 32;
constexpr std::uint32_t kMaxKrausWires = 2;

Expected<NoisyProgram> make_program(const Circuit& circuit, const RunOptions& options) {
  auto program = make_noisy_program(circuit, options);
  if (!program) return program;
  if (options.shots == 0) return Unexpected{std::string("trajectories are shots; ask for some")};
  if (options.want_state) return Unexpected{std::string("each trajectory ends in a state of its own")};
  if (options.want_density) return Unexpected{std::string("gives no density matrix")};
  if (program->wires > kMaxWires)
    return Unexpected{std::to_string(program->wires) + " wires are more than " + std::to_string(kMaxWires)};
  for (const Channel& channel : program->noisy.channels) {
    if (channel.wires() <= kMaxKrausWires || as_mixture(channel)) continue;
    return Unexpected{"channel " + channel.kind() + " acts on " + std::to_string(channel.wires()) +
                      " wires and is no mixture of unitaries"};
  }
  return program;
}

class TrajectoryProgram final : public Program {
 public:
  explicit TrajectoryProgram(NoisyProgram program) : program_(std::move(program)) {}

  CircuitResult run(std::span<const double> parameters, const Resources& resources) const override {
    std::vector<Scalar> values = parameter_scalars(program_.noisy.circuit.parameters(), parameters);
    if (program_.options.precision == Precision::single_precision)
      return TrajectoryRun<float>(program_, std::move(values), resources).run();
    return TrajectoryRun<double>(program_, std::move(values), resources).run();
  }

 private:
  NoisyProgram program_;
};

/// Amplitudes that one trajectory updates and sites that it draws. Symbolic parameters and loops count once.
struct Course {
  double gates = 0;      ///< in units of a one-wire gate on all amplitudes
  double sites = 0;      ///< mixtures
  double collapses = 0;  ///< what reads the state first
};
Course course(const NoisyProgram& program) {
  Course out;
  for (std::uint32_t i = 0; i < program.code.tail; ++i) {
    const Step& step = program.code.steps[i];
    if (step.kind == StepKind::measure || step.kind == StepKind::reset) ++out.collapses;
    if (step.kind != StepKind::gate) continue;
    const Instruction instruction = program.noisy.circuit.blocks()[step.b][step.a];
    if (is_site(instruction)) {
      const bool mixture = as_mixture(program.noisy.channels[instruction.aux - 1]).has_value();
      (mixture ? out.sites : out.collapses) += 1;
      continue;
    }
    // One-wire gates of neighbours in time melt together; controls halve the amplitudes.
    const auto targets = static_cast<double>(instruction.targets().size());
    out.gates += instruction.wires.size() == 1 ? 0.7 : std::exp2(targets - instruction.controls);
  }
  return out;
}

std::vector<kernels::Work> price(const NoisyProgram& program) {
  const Course way = course(program);
  const double amplitudes = std::exp2(program.wires);
  const auto shots = static_cast<double>(program.options.shots);
  double strings = 1;  // sampling reads the state once
  for (const Observable& observable : program.options.observables)
    strings += static_cast<double>(observable.terms().size());
  const bool single = program.options.precision == Precision::single_precision;
  const auto lanes = static_cast<double>(batch_lanes(program));
  // A batch that leaves the caches of the threads moves through memory at every gate.
  constexpr double cached_bytes = 2 << 20;
  const bool cached = 128 * amplitudes <= cached_bytes;
  const auto rate = single ? (cached ? kernels::Rate::amplitude_single_cached : kernels::Rate::amplitude_single)
                           : (cached ? kernels::Rate::amplitude_double_cached : kernels::Rate::amplitude_double);
  const double passes = way.gates + 2 * way.collapses + 0.5 * strings;
  const double batches = std::ceil(shots / lanes);
  return {{rate, batches * lanes * amplitudes * passes},
          {kernels::Rate::gate, batches * (way.gates + way.collapses)},
          {kernels::Rate::draw, shots * (1 + 0.3 * (way.sites + way.collapses))},
          {kernels::Rate::first_touch, static_cast<double>(trajectory_peak_bytes(program))}};
}

Expected<Estimate> estimate(const Circuit& circuit, const RunOptions& options) {
  auto program = make_program(circuit, options);
  if (!program) return Unexpected{program.error()};
  return Estimate{trajectory_peak_bytes(*program), price(*program)};
}

std::unique_ptr<Program> prepare(const Circuit& circuit, const RunOptions& options) {
  auto program = make_program(circuit, options);
  if (!program) throw Error(ErrorCode::unsupported, program.error(), "trajectories");
  return std::make_unique<TrajectoryProgram>(std::move(program).value());
}

}  // namespace

extern const Method trajectories_method;
const Method trajectories_method = {
    .name = "trajectories",
    .help = "a state vector for each shot, its noise drawn; for circuits too wide for a density matrix",
    .estimate = estimate,
    .prepare = prepare,
    .takes_noise = true,
};

}  // namespace skerry::sim
