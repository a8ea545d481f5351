#include "expression.hpp"

#include <nanobind/operators.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/variant.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "ir/circuit/arithmetic.hpp"

namespace skerry::python {
namespace {

std::string_view sign(ExprOp op) {
  if (op == ExprOp::add) return " + ";
  if (op == ExprOp::sub) return " - ";
  if (op == ExprOp::mul) return " * ";
  if (op == ExprOp::div) return " / ";
  return " ** ";
}

std::string_view function_name(ExprOp op) {
  if (op == ExprOp::sin) return "sin";
  if (op == ExprOp::cos) return "cos";
  if (op == ExprOp::tan) return "tan";
  if (op == ExprOp::asin) return "asin";
  if (op == ExprOp::acos) return "acos";
  if (op == ExprOp::atan) return "atan";
  if (op == ExprOp::exp) return "exp";
  if (op == ExprOp::ln) return "log";
  if (op == ExprOp::sqrt) return "sqrt";
  return "-";
}

// What Python's operators and methods make.
constexpr std::array kOps = {ExprOp::add,  ExprOp::sub,  ExprOp::mul, ExprOp::div, ExprOp::pow,
                             ExprOp::neg,  ExprOp::sin,  ExprOp::cos, ExprOp::tan, ExprOp::asin,
                             ExprOp::acos, ExprOp::atan, ExprOp::exp, ExprOp::ln,  ExprOp::sqrt};

Expression expression_of(const PyAngle& angle) {
  if (const auto* value = std::get_if<double>(&angle)) return Expression::number(*value);
  return std::get<Expression>(angle);
}

template <ExprOp op>
Expression binary(const Expression& left, const PyAngle& right) {
  return Expression::apply(op, {left, expression_of(right)});
}

template <ExprOp op>
Expression reflected(const Expression& right, double left) {
  return Expression::apply(op, {Expression::number(left), right});
}

template <ExprOp op>
Expression unary(const Expression& operand) {
  return Expression::apply(op, {operand});
}

}  // namespace

Expression Expression::number(double value) {
  Node node;
  node.value = value;
  return Expression(std::move(node));
}

Expression Expression::parameter(std::string name) {
  if (name.empty()) throw Error(ErrorCode::invalid_argument, "a parameter needs a name");
  Node node;
  node.op = ExprOp::parameter;
  node.name = std::move(name);
  return Expression(std::move(node));
}

Expression Expression::apply(ExprOp op, std::vector<Expression> operands) {
  Node node;
  node.op = op;
  for (const Expression& operand : operands) node.depth = std::max(node.depth, operand.node_->depth + 1);
  if (node.depth > kMaxDepth) {
    throw Error(ErrorCode::limit_exceeded, "an angle is nested deeper than " + std::to_string(kMaxDepth), "",
                "use a parameter of its own for a part of it");
  }
  node.operands = std::move(operands);
  return Expression(std::move(node));
}

ExprId Expression::lower_into(Circuit& circuit) const {
  const Node& node = *node_;
  if (node.op == ExprOp::constant) return circuit.expressions().constant(node.value);
  if (node.op == ExprOp::parameter) {
    const Affine declared = circuit.parameter(node.name);
    return circuit.expressions().leaf(ExprOp::parameter, declared.parameter,
                                      circuit.parameters()[declared.parameter].type);
  }
  const ExprId first = node.operands[0].lower_into(circuit);
  if (node.operands.size() == 1) return circuit.expressions().unary(node.op, first);
  const ExprId second = node.operands[1].lower_into(circuit);
  return circuit.expressions().binary(node.op, first, second);
}

Param Expression::lower(Circuit& circuit) const {
  const ExprId id = lower_into(circuit);
  if (circuit.expressions().is_constant(id)) return {circuit.expressions()[id].value.as_real(), kNoExpr};
  return {0.0, id};
}

std::string Expression::text() const {
  const Node& node = *node_;
  if (node.op == ExprOp::constant) {
    std::array<char, 32> digits{};
    return {digits.data(), std::to_chars(digits.data(), digits.data() + digits.size(), node.value).ptr};
  }
  if (node.op == ExprOp::parameter) return node.name;
  if (node.operands.size() == 1) return std::string(function_name(node.op)) + "(" + node.operands[0].text() + ")";
  std::string text = "(" + node.operands[0].text();
  text += sign(node.op);
  return text + node.operands[1].text() + ")";
}

std::uint32_t Expression::record_into(std::vector<Record>& records, std::map<const Node*, std::uint32_t>& known) const {
  const auto found = known.find(node_.get());
  if (found != known.end()) return found->second;
  std::vector<std::uint32_t> operands;
  for (const Expression& operand : node_->operands) operands.push_back(operand.record_into(records, known));
  records.emplace_back(ir::expr_name(node_->op), node_->value, node_->name, std::move(operands));
  return known[node_.get()] = static_cast<std::uint32_t>(records.size() - 1);
}

std::vector<Expression::Record> Expression::records() const {
  std::vector<Record> records;
  std::map<const Node*, std::uint32_t> known;
  record_into(records, known);
  return records;
}

Expression Expression::from_records(const std::vector<Record>& records) {
  std::vector<Expression> made;
  for (const auto& [name, value, parameter_name, places] : records) {
    if (name == "constant" || name == "parameter") {
      made.push_back(name == "constant" ? number(value) : parameter(parameter_name));
      continue;
    }
    const auto op = std::ranges::find(kOps, name, ir::expr_name);
    std::vector<Expression> operands;
    for (const std::uint32_t place : places)
      if (place < made.size()) operands.push_back(made[place]);
    const auto wanted = op == kOps.end() ? 0 : static_cast<std::size_t>(ir::expr_operands(*op));
    if (wanted == 0 || operands.size() != wanted || places.size() != wanted)
      throw Error(ErrorCode::corrupt, "'" + name + "' is no operation on so many angles", "<pickle>");
    made.push_back(apply(*op, std::move(operands)));
  }
  if (made.empty()) throw Error(ErrorCode::corrupt, "the pickle holds no angle", "<pickle>");
  return made.back();
}

Param lowered(const PyAngle& angle, Circuit& circuit) {
  if (const auto* value = std::get_if<double>(&angle)) return circuit.param(*value);
  return std::get<Expression>(angle).lower(circuit);
}

void bind_expression(nb::module_& m) {
  nb::class_<Expression>(m, "Parameter", R"(A symbolic angle in radians, or what arithmetic makes of some.

A circuit declares the parameters of its angles at first use; values are given when it runs.

>>> from skerry import Circuit, Parameter
>>> theta = Parameter("theta")
>>> circuit = Circuit(1).rx(2 * theta + 0.1, 0)
>>> circuit.parameters
['theta']
>>> 2 * theta + 0.1
((2 * theta) + 0.1)
)")
      .def(nb::new_([](std::string name) { return Expression::parameter(std::move(name)); }), nb::arg("name"))
      .def("__add__", binary<ExprOp::add>, nb::is_operator())
      .def("__sub__", binary<ExprOp::sub>, nb::is_operator())
      .def("__mul__", binary<ExprOp::mul>, nb::is_operator())
      .def("__truediv__", binary<ExprOp::div>, nb::is_operator())
      .def("__pow__", binary<ExprOp::pow>, nb::is_operator())
      .def("__radd__", reflected<ExprOp::add>, nb::is_operator())
      .def("__rsub__", reflected<ExprOp::sub>, nb::is_operator())
      .def("__rmul__", reflected<ExprOp::mul>, nb::is_operator())
      .def("__rtruediv__", reflected<ExprOp::div>, nb::is_operator())
      .def("__rpow__", reflected<ExprOp::pow>, nb::is_operator())
      .def("__neg__", unary<ExprOp::neg>)
      .def("sin", unary<ExprOp::sin>, "Sine.")
      .def("cos", unary<ExprOp::cos>, "Cosine.")
      .def("tan", unary<ExprOp::tan>, "Tangent.")
      .def("asin", unary<ExprOp::asin>, "Inverse sine.")
      .def("acos", unary<ExprOp::acos>, "Inverse cosine.")
      .def("atan", unary<ExprOp::atan>, "Inverse tangent.")
      .def("log", unary<ExprOp::ln>, "Natural logarithm.")
      .def("exp", unary<ExprOp::exp>, "e to this power.")
      .def("sqrt", unary<ExprOp::sqrt>, "Square root.")
      .def("__getstate__", &Expression::records)
      .def("__setstate__",
           [](Expression& self, const std::vector<Expression::Record>& records) {
             Expression made = Expression::from_records(records);
             new (&self) Expression(std::move(made));
           })
      .def("__repr__", &Expression::text);
}

}  // namespace skerry::python
