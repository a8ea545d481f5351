#include "passes/native/spelling.hpp"

#include "ops/qubit/gate_record.hpp"

namespace skerry::passes::native {

std::string spelling(const Instruction& at) {
  if (!is_gate(at.op) || at.op == Op::unitary) return std::string(op_name(at.op));
  const ops::GateRecord& record = ops::gate_record(at.op);
  if (at.controls == 0) return std::string(record.name);
  if (at.controls <= record.controlled.size() && !record.controlled[at.controls - 1U].empty()) {
    return std::string(record.controlled[at.controls - 1U]);
  }
  return "ctrl(" + std::to_string(at.controls) + ") @ " + std::string(record.name);
}

}  // namespace skerry::passes::native
