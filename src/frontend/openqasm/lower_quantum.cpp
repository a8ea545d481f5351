#include <algorithm>

#include "frontend/openqasm/lower.hpp"

namespace skerry::frontend::openqasm {

void Lowering::measure(const Stmt& stmt) {
  only_outside_gates("a measurement", stmt.place);
  const Run wires = qubits(ast_.list(stmt.operands)[0]);
  if (stmt.target == kNone) {  // the result is thrown away, but the qubit has collapsed
    measure_into(wires, hidden_bits(wires, stmt.place), stmt.place);
    return;
  }
  const std::optional<Run> target = bits(stmt.target);
  if (!target) {
    const Expr& e = expr(stmt.target);
    if (e.kind == ExprKind::name && scope_.find(e.text) == nullptr) fail_unknown("register", e.text, e.place);
    fail(ErrorCode::semantic_error, e.place, "a measurement needs bits to go to");
  }
  measure_into(wires, *target, stmt.place);
}

void Lowering::measure_into(const Run& wires, const Run& target, Place place) {
  only_outside_gates("a measurement", place);
  if (wires.size != target.size || (wires.is_scalar != target.is_scalar && wires.size != 1))
    fail(ErrorCode::semantic_error, place,
         std::to_string(wires.size) + " qubits are measured into " + std::to_string(target.size) + " bits",
         "use registers of the same size");
  gates_.count(wires.size, place);
  for (std::uint32_t i = 0; i < wires.size; ++i) circuit_.measure(wires[i], target[i]);
}

void Lowering::reset(const Stmt& stmt) {
  only_outside_gates("a reset", stmt.place);
  for (const Node n : ast_.list(stmt.operands)) {
    const Run run = qubits(n);
    gates_.count(run.size, stmt.place);
    for (std::uint32_t i = 0; i < run.size; ++i) circuit_.reset(run[i]);
  }
}

void Lowering::barrier(const Stmt& stmt) {
  wires_.clear();
  for (const Node n : ast_.list(stmt.operands)) {
    const Run run = qubits(n);
    for (std::uint32_t i = 0; i < run.size; ++i) wires_.push_back(run[i]);
  }
  std::sort(wires_.begin(), wires_.end());  // naming a qubit twice changes nothing
  wires_.erase(std::unique(wires_.begin(), wires_.end()), wires_.end());
  Application application;
  application.is_barrier = true;
  application.place = stmt.place;
  application.wires = wires_;
  apply(application);
}

void Lowering::delay(const Stmt& stmt) {
  only_outside_gates("a delay", stmt.place);
  const Value duration = value(stmt.value);
  if (!duration.is_duration)
    fail(ErrorCode::semantic_error, expr(stmt.value).place, "a delay needs a duration",
         "write a number with ns, us, ms or s");
  if (duration.is_constant() && duration.constant.real < 0)
    fail(ErrorCode::semantic_error, expr(stmt.value).place, "a delay cannot be negative");
  const Param seconds{duration.is_constant() ? duration.constant.real : 0.0, duration.expr};
  const auto idle = [&](Wire wire) { circuit_.append(Op::delay, std::span(&wire, 1), std::span(&seconds, 1)); };
  gates_.count(1, stmt.place);
  if (stmt.operands.count == 0)
    for (Wire w = 0; w < circuit_.num_wires(); ++w) idle(w);
  for (const Node n : ast_.list(stmt.operands)) {
    const Run run = qubits(n);
    gates_.count(run.size, stmt.place);
    for (std::uint32_t i = 0; i < run.size; ++i) idle(run[i]);
  }
}

// Nothing moves into a box or out of it: barriers on both sides. How long it takes is the device's business.
Lowering::Flow Lowering::box(const Stmt& stmt) {
  only_outside_gates("a box", stmt.place);
  if (stmt.value != kNone && !value(stmt.value).is_duration)
    fail(ErrorCode::semantic_error, expr(stmt.value).place, "a box needs a duration",
         "write a number with ns, us, ms or s");
  circuit_.barrier();
  const Flow flow = scoped_block(stmt.body);
  circuit_.barrier();
  return flow;
}

}  // namespace skerry::frontend::openqasm
