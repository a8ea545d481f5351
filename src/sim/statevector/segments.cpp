#include "sim/statevector/segments.hpp"

#include <algorithm>

namespace skerry::sim {
namespace {

/// A state of this many wires is passed over sooner than a gate is planned and bound as part of a sweep.
constexpr int kOneByOne = 9;

bool depends_on_parameters_alone(const Circuit& circuit, const Instruction& instruction) {
  return std::ranges::all_of(instruction.params, [&](const Param& param) {
    return param.is_constant() || circuit.expressions().is_static(param.expr);
  });
}

}  // namespace

std::vector<Segment> find_segments(const Circuit& circuit, const Code& code, Precision precision,
                                   const Stretch& stretch, const RunControl& control) {
  std::vector<bool> is_entered(code.steps.size() + 1);
  for (const Step& step : code.steps)
    if (step.kind == StepKind::jump || step.kind == StepKind::jump_unless) is_entered[step.a] = true;
  std::vector<Segment> out;
  for (std::uint32_t i = stretch.first; i < code.tail; ++i) {
    const Step& step = code.steps[i];
    if (step.kind != StepKind::gate) continue;
    const bool is_full = stretch.longest != 0 && !out.empty() && out.back().gates.size() == stretch.longest;
    if (out.empty() || out.back().end != i || is_entered[i] || is_full) out.push_back({.begin = i, .end = i});
    Segment& segment = out.back();
    segment.end = i + 1;
    segment.gates.push_back({step.b, step.a});
    segment.is_static &= depends_on_parameters_alone(circuit, circuit.blocks()[step.b][step.a]);
  }
  for (Segment& segment : out) {
    const GateList gates = segment.list(circuit, code);
    const std::uint64_t zero_wires = stretch.from_zero && segment.begin == 0 ? (std::uint64_t{1} << code.wires) - 1 : 0;
    segment.plan = code.wires <= kOneByOne ? plan_one_by_one(gates, code.wires, precision)
                                           : plan_sweeps(gates, code.wires, precision, 0, zero_wires, control);
  }
  return out;
}

}  // namespace skerry::sim
