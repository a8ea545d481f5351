#include <algorithm>
#include <array>

#include "ops/qubit/gate_record.hpp"
#include "passes/circuit/adjacent.hpp"
#include "passes/pass.hpp"

namespace skerry::passes {
namespace {

bool constant(const Instruction& instruction) {
  return std::ranges::all_of(instruction.params, [](const Param& p) { return p.is_constant(); });
}

// Bit-equal parameters only: what nearly cancels is merged by merge_rotations, which keeps the difference.
bool undoes(const Instruction& first, const Instruction& second) {
  if (first.op >= Op::unitary || second.op >= Op::unitary) return false;
  const ops::GateRecord& record = ops::gate_record(first.op);
  if (record.inverse_op != second.op || !constant(first) || !constant(second)) return false;
  std::array<double, 8> values{}, inverse{};
  for (std::size_t i = 0; i < first.params.size(); ++i) values[i] = inverse[i] = first.params[i].value;
  const std::size_t count = second.params.size();
  if (record.inverse_params != nullptr) {
    record.inverse_params(std::span(values).first(first.params.size()), std::span(inverse).first(count));
  } else if (record.inverse_negates_params) {
    for (std::size_t i = 0; i < count; ++i) inverse[i] = -values[i];
  }
  for (std::size_t i = 0; i < count; ++i) {
    if (inverse[i] != second.params[i].value) return false;
  }
  return true;
}

Circuit run(const Circuit& circuit) {
  return rewrite_adjacent(circuit, [](Circuit&, const Instruction& first, const Instruction& second) {
    return Meeting{undoes(first, second) ? Meeting::Action::drop_both : Meeting::Action::keep, {}};
  });
}

}  // namespace

extern const CircuitPass cancel_inverses_pass;
const CircuitPass cancel_inverses_pass = {
    .name = "cancel_inverses",
    .help = "Removes neighbouring gates that undo each other: h h, cx cx, s sdg, rx(a) rx(-a).",
    .run = run,
};

}  // namespace skerry::passes
