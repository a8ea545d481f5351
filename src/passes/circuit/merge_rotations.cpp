#include <algorithm>
#include <array>

#include "passes/circuit/adjacent.hpp"
#include "passes/pass.hpp"

namespace skerry::passes {
namespace {

// Gates exp(-i theta G / 2) or diag(1, exp(i theta)): on the same wires their angles add.
constexpr std::array kAdditive = {Op::p, Op::rx, Op::ry, Op::rz, Op::rxx, Op::ryy, Op::rzz, Op::rzx, Op::gphase};

Param sum(Circuit& circuit, const Param& a, const Param& b) {
  if (a.is_constant() && b.is_constant()) return {a.value + b.value, kNoExpr};
  ExprPool& pool = circuit.expressions();
  const ExprId left = a.is_constant() ? pool.constant(a.value) : a.expr;
  const ExprId right = b.is_constant() ? pool.constant(b.value) : b.expr;
  return {0.0, pool.binary(ExprOp::add, left, right)};
}

bool is_static(const Circuit& circuit, const Param& param) {
  return param.is_constant() || circuit.expressions().is_static(param.expr);
}

Meeting decide(Circuit& circuit, const Instruction& first, const Instruction& second) {
  if (first.op != second.op || std::ranges::find(kAdditive, first.op) == kAdditive.end()) return {};
  // An angle over a variable may be assigned between the two gates.
  if (!is_static(circuit, first.params[0]) || !is_static(circuit, second.params[0])) return {};
  const Param angle = sum(circuit, first.params[0], second.params[0]);
  if (angle.is_constant() && angle.value == 0.0) return {Meeting::Action::drop_both, {}};
  return {Meeting::Action::merge, {angle}};
}

Circuit merge_rotations(const Circuit& circuit) {
  return rewrite_adjacent(circuit, decide);
}

}  // namespace

extern const CircuitPass merge_rotations_pass;
const CircuitPass merge_rotations_pass = {
    .name = "merge_rotations",
    .help =
        "Makes one rotation of neighbouring ones about the same axis: rz(a) rz(b) becomes rz(a + b), symbols included.",
    .run = merge_rotations,
};

}  // namespace skerry::passes
