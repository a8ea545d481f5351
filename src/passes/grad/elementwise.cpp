// Rules of operators that are functions of one or two elements: the output's cotangent times the slope.
#include <cmath>
#include <numbers>

#include "passes/grad/rules.hpp"

namespace skerry::passes::grad {
namespace {

/// dy where x > 0, else `otherwise`.
ValueId where_positive(Rule& r, ValueId otherwise) {
  return r.op("Where", {r.op("Greater", {r.x(), r.number(0)}), r.dy(), otherwise});
}

}  // namespace

void abs_rule(Rule& r) {
  r.back(0, r.op("Mul", {r.dy(), r.op("Sign", {r.x()})}));
}

void clip_rule(Rule& r) {
  if (r.wants(1) || r.wants(2)) r.refuse("has bounds that are differentiated");
  ValueId inside = r.dy();
  const auto has = [&r](std::size_t input) { return r.node().inputs.size() > input && r.x(input) != kNoValue; };
  if (has(2)) inside = r.op("Where", {r.op("Greater", {r.x(), r.x(2)}), r.number(0), inside});
  if (has(1)) inside = r.op("Where", {r.op("Greater", {r.x(), r.x(1)}), inside, r.number(0)});
  r.back(0, inside);
}

void cos_rule(Rule& r) {
  r.back(0, r.op("Neg", {r.op("Mul", {r.dy(), r.op("Sin", {r.x()})})}));
}

void elu_rule(Rule& r) {
  const ValueId slope = r.op("Add", {r.y(), r.number(r.node().real("alpha", 1.0))});
  r.back(0, where_positive(r, r.op("Mul", {r.dy(), slope})));
}

void erf_rule(Rule& r) {
  const ValueId bell = r.op("Exp", {r.op("Neg", {r.op("Mul", {r.x(), r.x()})})});
  r.back(0, r.op("Mul", {r.dy(), r.op("Mul", {bell, r.number(2 / std::sqrt(std::numbers::pi))})}));
}

void exp_rule(Rule& r) {
  r.back(0, r.op("Mul", {r.dy(), r.y()}));
}

void leaky_relu_rule(Rule& r) {
  r.back(0, where_positive(r, r.op("Mul", {r.dy(), r.number(r.node().real("alpha", 0.01))})));
}

void log_rule(Rule& r) {
  r.back(0, r.op("Div", {r.dy(), r.x()}));
}

void neg_rule(Rule& r) {
  r.back(0, r.op("Neg", {r.dy()}));
}

void reciprocal_rule(Rule& r) {
  r.back(0, r.op("Neg", {r.op("Mul", {r.dy(), r.op("Mul", {r.y(), r.y()})})}));
}

void relu_rule(Rule& r) {
  r.back(0, where_positive(r, r.number(0)));
}

void sigmoid_rule(Rule& r) {
  const ValueId slope = r.op("Mul", {r.y(), r.op("Sub", {r.number(1), r.y()})});
  r.back(0, r.op("Mul", {r.dy(), slope}));
}

void sin_rule(Rule& r) {
  r.back(0, r.op("Mul", {r.dy(), r.op("Cos", {r.x()})}));
}

void softplus_rule(Rule& r) {
  r.back(0, r.op("Mul", {r.dy(), r.op("Sigmoid", {r.x()})}));
}

void sqrt_rule(Rule& r) {
  r.back(0, r.op("Div", {r.dy(), r.op("Add", {r.y(), r.y()})}));
}

void tanh_rule(Rule& r) {
  r.back(0, r.op("Mul", {r.dy(), r.op("Sub", {r.number(1), r.op("Mul", {r.y(), r.y()})})}));
}

void add_rule(Rule& r) {
  for (const std::size_t i : {0U, 1U})
    if (r.wants(i)) r.back_broadcast(i, r.dy());
}

void sub_rule(Rule& r) {
  if (r.wants(0)) r.back_broadcast(0, r.dy());
  if (r.wants(1)) r.back_broadcast(1, r.op("Neg", {r.dy()}));
}

void mul_rule(Rule& r) {
  for (const std::size_t i : {0U, 1U})
    if (r.wants(i)) r.back_broadcast(i, r.op("Mul", {r.dy(), r.x(1 - i)}));
}

void div_rule(Rule& r) {
  const ValueId share = r.op("Div", {r.dy(), r.x(1)});
  if (r.wants(0)) r.back_broadcast(0, share);
  if (r.wants(1)) r.back_broadcast(1, r.op("Neg", {r.op("Mul", {share, r.y()})}));
}

void pow_rule(Rule& r) {
  if (r.graph().value(r.x(1)).type.dtype != r.graph().value(r.y()).type.dtype)
    r.refuse("has an exponent of another type");
  if (r.wants(0)) {
    const ValueId lower = r.op("Pow", {r.x(0), r.op("Sub", {r.x(1), r.number(1)})});
    r.back_broadcast(0, r.op("Mul", {r.dy(), r.op("Mul", {r.x(1), lower})}));
  }
  if (r.wants(1)) r.back_broadcast(1, r.op("Mul", {r.dy(), r.op("Mul", {r.y(), r.op("Log", {r.x(0)})})}));
}

void sum_rule(Rule& r) {
  for (std::size_t i = 0; i < r.node().inputs.size(); ++i)
    if (r.wants(i)) r.back_broadcast(i, r.dy());
}

void where_rule(Rule& r) {
  if (r.wants(1)) r.back_broadcast(1, r.op("Where", {r.x(0), r.dy(), r.number(0)}));
  if (r.wants(2)) r.back_broadcast(2, r.op("Where", {r.x(0), r.number(0), r.dy()}));
}

}  // namespace skerry::passes::grad
