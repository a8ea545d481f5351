#include <algorithm>
#include <array>
#include <set>
#include <skerry/error.hpp>
#include <utility>
#include <vector>

#include "emit/emit.hpp"
#include "emit/gate_text.hpp"
#include "emit/names.hpp"
#include "ir/circuit/arithmetic.hpp"
#include "ir/text/operators.hpp"

namespace skerry::emit {
namespace {

struct FunctionName {
  ExprOp op;
  std::string_view name;
};
constexpr std::array kFunctions = {FunctionName{ExprOp::sin, "sin"},         FunctionName{ExprOp::cos, "cos"},
                                   FunctionName{ExprOp::tan, "tan"},         FunctionName{ExprOp::asin, "arcsin"},
                                   FunctionName{ExprOp::acos, "arccos"},     FunctionName{ExprOp::atan, "arctan"},
                                   FunctionName{ExprOp::exp, "exp"},         FunctionName{ExprOp::ln, "log"},
                                   FunctionName{ExprOp::sqrt, "sqrt"},       FunctionName{ExprOp::floor, "floor"},
                                   FunctionName{ExprOp::ceiling, "ceiling"}, FunctionName{ExprOp::popcount, "popcount"},
                                   FunctionName{ExprOp::rotl, "rotl"},       FunctionName{ExprOp::rotr, "rotr"}};
constexpr std::size_t kMostDepth = 200;  // of an expression, below the nesting that readers allow

std::string type_name(ScalarType type) {
  const std::string width = "[" + std::to_string(type.width) + "]";
  switch (type.kind) {
    case ScalarKind::boolean:
      return "bool";
    case ScalarKind::integer:
      return "int" + width;
    case ScalarKind::unsigned_integer:
      return "uint" + width;
    case ScalarKind::real:
      return "float" + width;
    case ScalarKind::angle:
      return "angle" + width;
  }
  return {};
}

[[noreturn]] void refuse(const std::string& what, const std::string& where) {
  throw Error(ErrorCode::unsupported, what + " cannot be written as OpenQASM 3", where);
}

class Writer3 {
 public:
  explicit Writer3(const Circuit& circuit) : circuit_(circuit) {
    Names names(3);
    for (const Register& r : circuit.wire_registers()) name_all(r, names, "qubit", wires_);
    for (const Register& r : circuit.bit_registers()) {
      const std::string name = name_all(r, names, "bit", bits_);
      bit_registers_.emplace_back(r, name);
    }
    for (const Parameter& p : circuit.parameters()) {
      parameters_.push_back(names.take(p.name));
      head_ += "input " + type_name(p.type) + " " + parameters_.back() + ";\n";
    }
    for (const Variable& v : circuit.variables()) {
      variables_.push_back(names.take(v.name));
      head_ += (v.is_output ? "output " : "") + type_name(v.type) + " " + variables_.back() + ";\n";
    }
  }

  std::string run() {
    block(0, 0);
    return "OPENQASM 3.0;\ninclude \"stdgates.inc\";\n" + definitions_ + head_ + text_;
  }

 private:
  std::string name_all(const Register& r, Names& names, const char* keyword, std::vector<std::string>& each) {
    std::string name = names.take(r.name);
    if (r.size != 0) head_ += std::string(keyword) + "[" + std::to_string(r.size) + "] " + name + ";\n";
    for (std::uint32_t i = 0; i < r.size; ++i) each.push_back(name + "[" + std::to_string(i) + "]");
    return name;
  }

  void block(BlockId id, std::size_t indent) {  // NOLINT(misc-no-recursion): blocks nest at most ir::kMaxNesting deep
    const Block& block = circuit_.blocks()[id];
    for (std::size_t i = 0; i < block.size(); ++i) {
      text_.append(indent, ' ');
      instruction(block[i], indent, "gate " + std::to_string(i));
    }
  }

  void instruction(const Instruction& at, std::size_t indent, const std::string& where) {  // NOLINT(misc-no-recursion)
    if (at.op == Op::unitary) refuse("a matrix (compile the circuit for a target)", where);
    if (at.op == Op::channel) refuse("a channel", where);
    if (is_gate(at.op)) {
      gate(at);
    } else if (at.op == Op::measure) {
      text_.append(bits_[at.aux]).append(" = measure ").append(wires_[at.wires[0]]).append(";\n");
    } else if (at.op == Op::reset) {
      text_.append("reset ").append(wires_[at.wires[0]]).append(";\n");
    } else if (at.op == Op::barrier) {
      text_ += "barrier";
      wires(at);
    } else if (at.op == Op::delay) {
      if (!at.params[0].is_constant()) refuse("a delay of symbolic length", where);
      text_ += "delay[";
      append_number(text_, at.params[0].value);
      text_ += "s]";
      wires(at);
    } else if (at.op == Op::assign) {
      assign(circuit_.assignments()[at.aux], where);
    } else if (at.op == Op::break_loop || at.op == Op::continue_loop || at.op == Op::end) {
      text_ += at.op == Op::end ? "end;\n" : at.op == Op::break_loop ? "break;\n" : "continue;\n";
    } else {
      const Branch& branch = circuit_.branches()[at.aux];
      text_ += at.op == Op::if_else ? "if (" : "while (";
      text_ += expression(branch.condition, 0) + ") {\n";
      block(branch.then_block, indent + 2);
      text_.append(indent, ' ');
      if (branch.else_block != kNoBlock) {
        text_ += "} else {\n";
        block(branch.else_block, indent + 2);
        text_.append(indent, ' ');
      }
      text_ += "}\n";
    }
  }

  void wires(const Instruction& at) {
    for (std::size_t i = 0; i < at.wires.size(); ++i) text_.append(i == 0 ? " " : ", ").append(wires_[at.wires[i]]);
    text_ += ";\n";
  }

  void gate(const Instruction& at) {
    const GateText spelled = gate_text3(at.op, at.controls);
    if (!spelled.definition.empty() && defined_.insert(spelled.name).second) {
      definitions_.append(spelled.definition).append("\n");
    }
    const int rest = at.controls - spelled.controls;
    if (rest == 1) text_ += "ctrl @ ";
    if (rest > 1) text_ += "ctrl(" + std::to_string(rest) + ") @ ";
    text_ += spelled.name;
    for (std::size_t i = 0; i < at.params.size(); ++i) {
      text_ += i == 0 ? "(" : ", ";
      if (at.params[i].is_constant()) {
        append_number(text_, at.params[i].value);
      } else {
        text_ += expression(at.params[i].expr, 0);
      }
    }
    if (!at.params.empty()) text_ += ')';
    wires(at);
  }

  void assign(const Assignment& a, const std::string& where) {
    if (a.index != kNoExpr) refuse("an assignment to an element", where);
    std::string to;
    if (!a.to_bits) {
      to = variables_[a.first];
    } else {
      to = bits(a.first, a.count);
      if (to.empty()) refuse("an assignment to bits of several registers", where);
    }
    text_ += to + " = " + expression(a.value, 0) + ";\n";
  }

  // The bits as one operand, empty where no register holds them all.
  std::string bits(std::uint32_t first, std::uint32_t count) const {
    for (const auto& [r, name] : bit_registers_) {
      if (first < r.first || first + count > r.first + r.size || r.size == 0) continue;
      if (first == r.first && count == r.size) return name;
      if (count == 1) return name + "[" + std::to_string(first - r.first) + "]";
      return name + "[" + std::to_string(first - r.first) + ":" + std::to_string(first - r.first + count - 1) + "]";
    }
    return {};
  }

  std::string leaf(const ExprNode& node) const {
    if (node.op == ExprOp::parameter) return parameters_[node.a];
    if (node.op == ExprOp::variable) return variables_[node.a];
    if (node.op == ExprOp::bit) return bits_[node.a];
    if (node.op == ExprOp::bits) {
      const std::string text = bits(node.a, node.b);
      if (text.empty()) refuse("a number over bits of several registers", "expression");
      return type_name(node.type) + "(" + text + ")";
    }
    if (node.op != ExprOp::constant) refuse("an element of an array", "expression");
    if (node.type.kind == ScalarKind::boolean) return node.value.integer != 0 ? "true" : "false";
    std::string text;
    if (ir::is_integral(node.type)) {
      text = node.type.kind == ScalarKind::integer ? std::to_string(node.value.integer)
                                                   : std::to_string(static_cast<std::uint64_t>(node.value.integer));
    } else {
      append_number(text, node.value.real);
    }
    const bool usual = node.type == ScalarType{} || node.type == ScalarType{ScalarKind::integer, 64};
    if (!usual) return type_name(node.type) + "(" + text + ")";
    return text[0] == '-' ? "(" + text + ")" : text;
  }

  // Every operation in parentheses: precedences differ between versions of the language.
  std::string expression(ExprId id, std::size_t depth) const {  // NOLINT(misc-no-recursion): kMostDepth
    if (depth > kMostDepth) refuse("an expression more than 200 deep", "expression");
    const ExprNode& node = circuit_.expressions()[id];
    const int operands = ir::expr_operands(node.op);
    if (operands == 0) return leaf(node);
    const std::string first = expression(node.a, depth + 1);
    if (node.op == ExprOp::cast) return type_name(node.type) + "(" + first + ")";
    const std::string second = operands == 2 ? expression(node.b, depth + 1) : "";
    for (const ir::InfixOperator& infix : ir::kInfixOperators) {
      if (infix.op != node.op) continue;
      std::string text = "(" + first;
      text.append(" ").append(infix.symbol).append(" ").append(second).append(")");
      return text;
    }
    for (const ir::PrefixOperator& prefix : ir::kPrefixOperators) {
      if (prefix.op == node.op) return "(" + std::string(prefix.symbol) + first + ")";
    }
    if (node.op == ExprOp::pow) return "(" + first + " ** " + second + ")";
    const auto* function = std::ranges::find(kFunctions, node.op, &FunctionName::op);
    return std::string(function->name) + "(" + first + (operands == 2 ? ", " + second : "") + ")";
  }

  const Circuit& circuit_;
  std::string head_, definitions_, text_;
  std::vector<std::string> wires_, bits_, parameters_, variables_;
  std::vector<std::pair<Register, std::string>> bit_registers_;
  std::set<std::string_view> defined_;
};

}  // namespace

std::string openqasm3(const Circuit& circuit) {
  return Writer3(circuit).run();
}

}  // namespace skerry::emit
