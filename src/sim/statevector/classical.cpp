#include "sim/statevector/classical.hpp"

#include <skerry/error.hpp>
#include <string>

namespace skerry::sim {

Classical ClassicalUnit::initial(std::uint32_t bits) const {
  Classical values;
  values.bits.resize(bits);
  for (const Variable& variable : circuit_.variables()) values.variables.push_back(Scalar{}.cast(variable.type));
  return values;
}

Scalar ClassicalUnit::evaluate(ExprId id, const Classical& values) const {
  return circuit_.expressions().evaluate(id, {parameters_, values.variables, values.bits});
}

std::uint32_t ClassicalUnit::step(std::uint32_t pc, Classical& values, const RunControl& control) const {
  const Step& step = code_.steps[pc];
  std::uint32_t next = pc + 1;
  switch (step.kind) {
    case StepKind::assign:
      assign(circuit_.assignments()[step.a], values);
      break;
    case StepKind::jump:
      next = step.a;
      break;
    case StepKind::jump_unless:
      if (!evaluate(step.b, values).as_bool()) next = step.a;
      break;
    case StepKind::gate:
    case StepKind::measure:
    case StepKind::reset:
      break;
  }
  if (next > pc) return next;
  control.check("classical control");
  if (++values.jumps_back > kMaxJumpsBack) {
    throw Error(ErrorCode::limit_exceeded,
                "the loops of one trajectory went round " + std::to_string(kMaxJumpsBack) + " times without an end", {},
                "check that the loop's condition can become false");
  }
  return next;
}

void ClassicalUnit::assign(const Assignment& assignment, Classical& values) const {
  const Scalar value = evaluate(assignment.value, values);
  std::uint32_t place = assignment.first;
  if (assignment.index != kNoExpr) {
    const std::int64_t index = evaluate(assignment.index, values).as_integer();
    if (index < 0 || index >= static_cast<std::int64_t>(assignment.count)) {
      throw Error(ErrorCode::out_of_range, "element " + std::to_string(index) + " of an array of " +
                                               std::to_string(assignment.count) + " elements");
    }
    place += static_cast<std::uint32_t>(index);
  }
  if (!assignment.to_bits) {
    values.variables[place] = value.cast(circuit_.variables()[place].type);
    return;
  }
  if (assignment.index != kNoExpr) {
    values.bits[place] = static_cast<std::uint8_t>(value.as_bool());
    return;
  }
  const auto word = static_cast<std::uint64_t>(value.as_integer());
  for (std::uint32_t i = 0; i < assignment.count; ++i)
    values.bits[place + i] = static_cast<std::uint8_t>(i < 64 ? word >> i & 1 : 0);
}

}  // namespace skerry::sim
