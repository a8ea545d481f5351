#include <span>

#include "ops/qubit/gate_record.hpp"
#include "passes/circuit/adjacent.hpp"
#include "passes/pass.hpp"

namespace skerry::passes {
namespace {

// Bit-equal parameters only: what nearly cancels is merged by merge_rotations, which keeps the difference.
bool is_negated(const ops::InverseParam& inverse, std::span<const Param> first, const Param& second) {
  if (!second.is_constant()) return false;
  if (inverse.source < 0) return inverse.factor == second.value;
  const Param& source = first[static_cast<std::size_t>(inverse.source)];
  return source.is_constant() && inverse.factor * source.value == second.value;
}

bool undoes(const Instruction& first, const Instruction& second) {
  if (first.op >= Op::unitary || second.op >= Op::unitary) return false;
  const ops::GateRecord& record = ops::gate_record(first.op);
  if (record.inverse_op != second.op || record.inverse_reverses_targets) return false;
  for (std::size_t i = 0; i < second.params.size(); ++i) {
    if (!is_negated(record.inverse_params[i], first.params, second.params[i])) return false;
  }
  return true;
}

Circuit cancel_inverses(const Circuit& circuit) {
  return rewrite_adjacent(circuit, [](Circuit&, const Instruction& first, const Instruction& second) {
    return Meeting{undoes(first, second) ? Meeting::Action::drop_both : Meeting::Action::keep, {}};
  });
}

}  // namespace

extern const CircuitPass cancel_inverses_pass;
const CircuitPass cancel_inverses_pass = {
    .name = "cancel_inverses",
    .help = "Removes neighbouring gates that undo each other: h h, cx cx, s sdg, rx(a) rx(-a).",
    .run = cancel_inverses,
};

}  // namespace skerry::passes
