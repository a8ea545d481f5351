#include "sim/gradient/parameter_map.hpp"

#include <cmath>
#include <optional>
#include <skerry/error.hpp>
#include <string>

#include "ir/circuit/arithmetic.hpp"

namespace skerry::sim {
namespace {

bool is_smooth(ScalarType type) {
  return type.kind == ScalarKind::real || type.kind == ScalarKind::angle;
}

}  // namespace

ParameterMap::ParameterMap(const Circuit& circuit)
    : pool_(circuit.expressions()),
      parameters_(circuit.parameters().size()),
      node_of_(circuit.expressions().size(), kNoExpr) {
  for (const Parameter& parameter : circuit.parameters()) {
    if (!is_smooth(parameter.type)) {
      throw Error(
          ErrorCode::unsupported,
          "parameter '" + parameter.name + "' is " + ir::type_text(parameter.type) + ", which has no derivative",
          "gradient", "bind it, or declare it as float or angle");
    }
    types_.push_back(parameter.type);
  }
}

std::uint32_t ParameterMap::add_node(ExprId id) {
  // Operands are smaller ids: what is needed is marked from above, then numbered from below.
  std::vector<ExprId> pending = {id}, needed;
  while (!pending.empty()) {
    const ExprId next = pending.back();
    pending.pop_back();
    if (node_of_[next] != kNoExpr) continue;
    const ExprNode& node = pool_[next];
    const int operands = ir::expr_operands(node.op);
    const bool ready = (operands < 1 || node_of_[node.a] != kNoExpr) && (operands < 2 || node_of_[node.b] != kNoExpr);
    if (!ready) {
      pending.push_back(next);
      if (operands >= 1) pending.push_back(node.a);
      if (operands >= 2) pending.push_back(node.b);
      continue;
    }
    if (operands == 0 && node.op != ExprOp::constant && node.op != ExprOp::parameter) {
      throw Error(ErrorCode::unsupported, "a gate's angle depends on measured bits or variables", "gradient",
                  "only circuits of gates and parameters have gradients");
    }
    Node made{node};
    if (operands >= 1) made.a = node_of_[node.a];
    if (operands >= 2) made.b = node_of_[node.b];
    node_of_[next] = static_cast<std::uint32_t>(nodes_.size());
    nodes_.push_back(made);
    Affine affine;
    const auto of = [&](std::uint32_t operand) { return affine_[operand]; };
    const bool real = node.type.kind == ScalarKind::real;
    bool fits = real;
    if (node.op == ExprOp::constant) {
      affine.offset = node.value.as_real();
      fits = true;
    } else if (node.op == ExprOp::parameter) {
      affine = {node.a, 1.0, 0.0};
    } else if (node.op == ExprOp::neg) {
      affine = {of(made.a).parameter, -of(made.a).scale, -of(made.a).offset};
    } else if (node.op == ExprOp::add || node.op == ExprOp::sub) {
      const Affine l = of(made.a), r = of(made.b);
      const double sign = node.op == ExprOp::add ? 1.0 : -1.0;
      fits = fits && (l.parameter == kNoExpr || r.parameter == kNoExpr || l.parameter == r.parameter);
      affine = {l.parameter != kNoExpr ? l.parameter : r.parameter, l.scale + sign * r.scale,
                l.offset + sign * r.offset};
    } else if (node.op == ExprOp::mul && (of(made.a).parameter == kNoExpr || of(made.b).parameter == kNoExpr)) {
      const Affine l = of(made.a), r = of(made.b);
      affine = {l.parameter != kNoExpr ? l.parameter : r.parameter, l.scale * r.offset + l.offset * r.scale,
                l.offset * r.offset};
    } else if (node.op == ExprOp::div && of(made.b).parameter == kNoExpr && of(made.b).offset != 0) {
      affine = {of(made.a).parameter, of(made.a).scale / of(made.b).offset, of(made.a).offset / of(made.b).offset};
    } else {
      fits = false;
    }
    is_affine_ = is_affine_ && fits;
    affine_.push_back(affine);
  }
  return node_of_[id];
}

std::uint32_t ParameterMap::add_slot(ExprId expression) {
  slot_expressions_.push_back(add_node(expression));
  return static_cast<std::uint32_t>(slot_expressions_.size() - 1);
}

std::vector<Scalar> ParameterMap::node_values(std::span<const double> parameters) const {
  std::vector<Scalar> values;
  values.reserve(nodes_.size());
  for (const Node& node : nodes_) {
    const ExprNode& e = node.expression;
    if (e.op == ExprOp::constant)
      values.push_back(e.value);
    else if (e.op == ExprOp::parameter)
      values.push_back(Scalar::of(parameters[e.a]).cast(types_[e.a]).cast(e.type));
    else
      values.push_back(
          ir::apply(e.op, e.type, values[node.a], ir::expr_operands(e.op) == 2 ? values[node.b] : Scalar{}));
  }
  return values;
}

void ParameterMap::evaluate(std::span<const double> parameters, std::span<double> slots) const {
  for (std::size_t p = 0; p < parameters.size(); ++p) {
    if (std::isfinite(parameters[p])) continue;
    throw Error(ErrorCode::invalid_argument, "parameter " + std::to_string(p) + " is not a finite number");
  }
  if (is_affine_) {
    for (std::size_t s = 0; s < slots.size(); ++s) {
      const Affine& a = affine_[slot_expressions_[s]];
      slots[s] = a.offset + (a.parameter == kNoExpr ? 0.0 : a.scale * parameters[a.parameter]);
    }
    return;
  }
  const std::vector<Scalar> values = node_values(parameters);
  for (std::size_t s = 0; s < slots.size(); ++s) slots[s] = values[slot_expressions_[s]].as_real();
}

ParameterMap::Partials ParameterMap::partials(const Node& node, std::span<const Scalar> values) const {
  const ExprNode& e = node.expression;
  // Integers, truth values and bits are constant almost everywhere.
  if (!is_smooth(e.type)) return {};
  const double a = values[node.a].as_real();
  const double b = ir::expr_operands(e.op) == 2 ? values[node.b].as_real() : 0.0;
  switch (e.op) {
    case ExprOp::neg:
      return {.a = -1};
    case ExprOp::cast:
      return {.a = is_smooth(nodes_[node.a].expression.type) ? 1.0 : 0.0};
    case ExprOp::sin:
      return {.a = std::cos(a), .aa = -std::sin(a)};
    case ExprOp::cos:
      return {.a = -std::sin(a), .aa = -std::cos(a)};
    case ExprOp::tan: {
      const double slope = 1 + std::tan(a) * std::tan(a);
      return {.a = slope, .aa = 2 * std::tan(a) * slope};
    }
    case ExprOp::asin:
      return {.a = 1 / std::sqrt(1 - a * a), .aa = a / std::pow(1 - a * a, 1.5)};
    case ExprOp::acos:
      return {.a = -1 / std::sqrt(1 - a * a), .aa = -a / std::pow(1 - a * a, 1.5)};
    case ExprOp::atan:
      return {.a = 1 / (1 + a * a), .aa = -2 * a / ((1 + a * a) * (1 + a * a))};
    case ExprOp::exp:
      return {.a = std::exp(a), .aa = std::exp(a)};
    case ExprOp::ln:
      return {.a = 1 / a, .aa = -1 / (a * a)};
    case ExprOp::sqrt:
      return {.a = 0.5 / std::sqrt(a), .aa = -0.25 / (a * std::sqrt(a))};
    case ExprOp::add:
      return {.a = 1, .b = 1};
    case ExprOp::sub:
      return {.a = 1, .b = -1};
    case ExprOp::mul:
      return {.a = b, .b = a, .ab = 1};
    case ExprOp::div:
      return {.a = 1 / b, .b = -a / (b * b), .ab = -1 / (b * b), .bb = 2 * a / (b * b * b)};
    case ExprOp::mod:
      return {.a = 1, .b = -std::trunc(a / b)};
    case ExprOp::pow: {
      // A constant exponent takes no logarithm, so a negative base keeps its derivative.
      const bool fixed = nodes_[node.b].expression.op == ExprOp::constant;
      const double slope = b == 0 ? 0.0 : b * std::pow(a, b - 1);
      const double bend = b == 0 || b == 1 ? 0.0 : b * (b - 1) * std::pow(a, b - 2);
      if (fixed) return {.a = slope, .aa = bend};
      const double log = std::log(a), value = std::pow(a, b);
      return {
          .a = slope, .b = value * log, .aa = bend, .ab = std::pow(a, b - 1) * (1 + b * log), .bb = value * log * log};
    }
    case ExprOp::constant:
    case ExprOp::parameter:
    case ExprOp::variable:
    case ExprOp::bit:
    case ExprOp::bits:
    case ExprOp::element:
    case ExprOp::logical_not:
    case ExprOp::bit_not:
    case ExprOp::floor:
    case ExprOp::ceiling:
    case ExprOp::popcount:
    case ExprOp::eq:
    case ExprOp::ne:
    case ExprOp::lt:
    case ExprOp::le:
    case ExprOp::gt:
    case ExprOp::ge:
    case ExprOp::logical_and:
    case ExprOp::logical_or:
    case ExprOp::bit_and:
    case ExprOp::bit_or:
    case ExprOp::bit_xor:
    case ExprOp::shl:
    case ExprOp::shr:
    case ExprOp::rotl:
    case ExprOp::rotr:
      break;
  }
  return {};
}

void ParameterMap::pull_back(std::span<const double> parameters, std::span<const double> weights,
                             std::span<double> out) const {
  if (is_affine_) {
    for (std::size_t s = 0; s < weights.size(); ++s) {
      const Affine& a = affine_[slot_expressions_[s]];
      if (a.parameter != kNoExpr) out[a.parameter] += a.scale * weights[s];
    }
    return;
  }
  const std::vector<Scalar> values = node_values(parameters);
  std::vector<double> adjoint(nodes_.size());
  for (std::size_t s = 0; s < weights.size(); ++s) adjoint[slot_expressions_[s]] += weights[s];
  for (std::size_t i = nodes_.size(); i-- > 0;) {
    const Node& node = nodes_[i];
    if (adjoint[i] == 0) continue;
    if (node.expression.op == ExprOp::parameter) out[node.expression.a] += adjoint[i];
    const int operands = ir::expr_operands(node.expression.op);
    if (operands == 0) continue;
    const Partials d = partials(node, values);
    adjoint[node.a] += adjoint[i] * d.a;
    if (operands == 2) adjoint[node.b] += adjoint[i] * d.b;
  }
}

std::vector<double> ParameterMap::tangents(std::span<const Scalar> values, std::span<const double> direction) const {
  std::vector<double> tangent(nodes_.size());
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    const Node& node = nodes_[i];
    if (node.expression.op == ExprOp::parameter) tangent[i] = direction[node.expression.a];
    const int operands = ir::expr_operands(node.expression.op);
    if (operands == 0) continue;
    const Partials d = partials(node, values);
    tangent[i] = d.a * tangent[node.a] + (operands == 2 ? d.b * tangent[node.b] : 0.0);
  }
  return tangent;
}

void ParameterMap::push_forward(std::span<const double> parameters, std::span<const double> direction,
                                std::span<double> out) const {
  const std::vector<double> tangent = tangents(node_values(parameters), direction);
  for (std::size_t s = 0; s < out.size(); ++s) out[s] = tangent[slot_expressions_[s]];
}

void ParameterMap::curve(std::span<const double> parameters, std::span<const double> weights,
                         std::span<const double> direction, std::span<double> out) const {
  if (is_affine_) return;
  const std::vector<Scalar> values = node_values(parameters);
  const std::vector<double> tangent = tangents(values, direction);
  // The adjoint of each node and how it changes along the direction.
  std::vector<double> adjoint(nodes_.size()), bend(nodes_.size());
  for (std::size_t s = 0; s < weights.size(); ++s) adjoint[slot_expressions_[s]] += weights[s];
  for (std::size_t i = nodes_.size(); i-- > 0;) {
    const Node& node = nodes_[i];
    if (node.expression.op == ExprOp::parameter) out[node.expression.a] += bend[i];
    const int operands = ir::expr_operands(node.expression.op);
    if (operands == 0) continue;
    const Partials d = partials(node, values);
    const double ta = tangent[node.a], tb = operands == 2 ? tangent[node.b] : 0.0;
    adjoint[node.a] += adjoint[i] * d.a;
    bend[node.a] += bend[i] * d.a + adjoint[i] * (d.aa * ta + d.ab * tb);
    if (operands == 2) {
      adjoint[node.b] += adjoint[i] * d.b;
      bend[node.b] += bend[i] * d.b + adjoint[i] * (d.ab * ta + d.bb * tb);
    }
  }
}

}  // namespace skerry::sim
