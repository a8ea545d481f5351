#include "passes/native/spelling.hpp"

#include "ops/qubit/gate_record.hpp"

namespace skerry::passes::native {

std::string spelling(const Instruction& at) {
  return spelling(at.op, at.controls);
}

std::string spelling(Op op, std::uint16_t controls) {
  if (!is_gate(op) || op == Op::unitary) return std::string(op_name(op));
  const ops::GateRecord& record = ops::gate_record(op);
  if (controls == 0) return std::string(record.name);
  if (controls <= record.controlled.size() && !record.controlled[controls - 1U].empty()) {
    return std::string(record.controlled[controls - 1U]);
  }
  return "ctrl(" + std::to_string(controls) + ") @ " + std::string(record.name);
}

}  // namespace skerry::passes::native
