#include <algorithm>
#include <cmath>
#include <skerry/error.hpp>
#include <string>

#include "kernels/density/transfer.hpp"
#include "sim/density/density_run.hpp"
#include "sim/method.hpp"
#include "sim/state/questions.hpp"

namespace skerry::sim {
namespace {

/// 4^wires numbers and their index fit in 63 bits with room to spare.
constexpr int kMaxWires = 24;
constexpr std::size_t kMaxDensityWires = 13;

/// Why a gate or a channel is too wide, if one is.
std::optional<std::string> too_wide(const NoisyProgram& program) {
  for (const Step& step : program.code.steps) {
    if (step.kind != StepKind::gate) continue;
    const Instruction instruction = program.noisy.circuit.blocks()[step.b][step.a];
    if (instruction.wires.size() <= kernels::kMaxDigits) continue;
    return "gate " + std::to_string(step.a) + " acts on " + std::to_string(instruction.wires.size()) +
           " wires, more than " + std::to_string(kernels::kMaxDigits);
  }
  return std::nullopt;
}

Expected<NoisyProgram> make_program(const Circuit& circuit, const RunOptions& options) {
  auto program = make_noisy_program(circuit, options);
  if (!program) return program;
  if (options.want_state) return Unexpected{std::string("gives no state vector; ask for the density matrix")};
  if (program->wires > kMaxWires) {
    return Unexpected{"a density matrix of " + std::to_string(program->wires) + " wires has more than 4^" +
                      std::to_string(kMaxWires) + " entries"};
  }
  const std::size_t told = options.density_wires.empty() ? circuit.num_wires() : options.density_wires.size();
  if (options.want_density && told > kMaxDensityWires)
    return Unexpected{"a density matrix of " + std::to_string(told) + " wires is not handed out; list density_wires"};
  if (program->code.has_loop && program->code.has_measure)
    return Unexpected{std::string("the circuit measures and loops, so its branches have no end")};
  if (program->measures_midway > kMaxMidway) {
    return Unexpected{"the circuit measures " + std::to_string(program->measures_midway) + " times midway, more than " +
                      std::to_string(kMaxMidway)};
  }
  if (auto reason = too_wide(*program)) return Unexpected{*reason};
  return program;
}

class DensityProgram final : public Program {
 public:
  explicit DensityProgram(NoisyProgram program) : program_(std::move(program)) {}

  CircuitResult run(std::span<const double> parameters, const Resources& resources) const override {
    std::vector<Scalar> values = parameter_scalars(program_.noisy.circuit.parameters(), parameters);
    if (program_.options.precision == Precision::single_precision)
      return DensityRun<float>(program_, std::move(values), resources).run();
    return DensityRun<double>(program_, std::move(values), resources).run();
  }

 private:
  NoisyProgram program_;
};

/// Passes over 4^n numbers, in amplitudes of half as many bytes; a pass serves a pair of wires, with what waits on
/// both.
std::vector<kernels::Work> price(const NoisyProgram& program) {
  double passes = 1, gates = 0, branches = 1;
  for (std::uint32_t i = 0; i < program.code.tail; ++i) {
    const Step& step = program.code.steps[i];
    if (step.kind == StepKind::measure) {
      passes += 3 * branches;
      branches *= 2;
    }
    if (step.kind != StepKind::gate) continue;
    const Instruction instruction = program.noisy.circuit.blocks()[step.b][step.a];
    const auto wires = instruction.wires.size();
    // Two wires are the least that a pass is made for; wider maps multiply 4^k numbers by as many.
    if (!is_site(instruction) && wires >= 2) passes += branches * std::exp2(2.0 * static_cast<double>(wires) - 4);
    if (wires == 1) passes += branches * 0.1;
    gates += branches;
  }
  const double numbers = std::exp2(2 * program.wires);
  const bool single = program.options.precision == Precision::single_precision;
  const auto rate = single ? kernels::Rate::amplitude_single_cached : kernels::Rate::amplitude_double_cached;
  // Eight multiply-adds for a number, where a one-target gate has four for each of the two in an amplitude.
  return {{rate, passes * numbers},
          {kernels::Rate::gate, 20 * gates},
          {kernels::Rate::draw, static_cast<double>(program.options.shots)},
          {kernels::Rate::first_touch, static_cast<double>(density_peak_bytes(program))}};
}

Expected<Estimate> estimate(const Circuit& circuit, const RunOptions& options) {
  auto program = make_program(circuit, options);
  if (!program) return Unexpected{program.error()};
  return Estimate{density_peak_bytes(*program), price(*program)};
}

std::unique_ptr<Program> prepare(const Circuit& circuit, const RunOptions& options) {
  auto program = make_program(circuit, options);
  if (!program) throw Error(ErrorCode::unsupported, program.error(), "density");
  return std::make_unique<DensityProgram>(std::move(program).value());
}

}  // namespace

extern const Method density_method;
const Method density_method = {
    .name = "density",
    .help = "the density matrix as 4^n real numbers; exact with noise",
    .estimate = estimate,
    .prepare = prepare,
    .takes_noise = true,
};

}  // namespace skerry::sim
