#include "ir/text/expression_text.hpp"

#include <algorithm>
#include <array>

#include "ir/circuit/arithmetic.hpp"
#include "ir/circuit/uses.hpp"
#include "ir/text/operators.hpp"
#include "ir/text/spelling.hpp"

namespace skerry::ir {
namespace {

// Past these an expression that is used twice, or is deep, gets a name of its own: text stays linear in the pool and
// shallow enough to be parsed within the nesting limit.
constexpr std::uint32_t kLetSize = 12;
constexpr std::uint32_t kLetDepth = 24;

const InfixOperator* infix(ExprOp op) {
  const auto* found = std::ranges::find(kInfixOperators, op, &InfixOperator::op);
  return found == kInfixOperators.end() ? nullptr : found;
}
const PrefixOperator* prefix(ExprOp op) {
  const auto* found = std::ranges::find(kPrefixOperators, op, &PrefixOperator::op);
  return found == kPrefixOperators.end() ? nullptr : found;
}

std::string constant_text(const Scalar& value) {
  const std::string width = std::to_string(value.type.width);
  const bool is_usual = value.type.width == 64;
  switch (value.type.kind) {
    case ScalarKind::boolean:
      return value.integer != 0 ? "true" : "false";
    case ScalarKind::integer:
      return std::to_string(value.integer) + (is_usual ? "" : "i" + width);
    case ScalarKind::unsigned_integer:
      return std::to_string(static_cast<std::uint64_t>(value.integer)) + "u" + width;
    case ScalarKind::real:
      return number(value.real) + (is_usual ? "" : "r" + width);
    case ScalarKind::angle:
      return number(value.real) + "a" + width;
  }
  return {};
}

/// The register a wire or bit is in; registers follow each other without gaps, empty ones are skipped.
const Register& register_of(const std::vector<Register>& registers, std::uint32_t index) {
  return *std::prev(std::ranges::upper_bound(registers, index, {}, &Register::first));
}

std::string indexed(const std::string& name, std::uint64_t index) {
  return name + "[" + std::to_string(index) + "]";
}

}  // namespace

bool is_reserved(std::string_view word) noexcept {
  static constexpr std::array<std::string_view, 29> kWords = {
      "wires", "bits",     "param", "var",  "output",  "matrix", "let",     "if",    "else",    "while",
      "break", "continue", "end",   "ctrl", "measure", "reset",  "barrier", "delay", "unitary", "true",
      "false", "pi",       "bool",  "int",  "uint",    "real",   "angle",   "of",    "circuit"};
  if (std::ranges::find(kWords, word) != kWords.end()) return true;
  for (int i = 0; i <= static_cast<int>(ExprOp::rotr); ++i) {
    if (expr_name(static_cast<ExprOp>(i)) == word) return true;
  }
  return false;
}

Spelling::Spelling(const Circuit& circuit) : circuit_(circuit) {
  for (const Register& r : circuit.wire_registers()) ++wire_names_[r.name];
  for (const Register& r : circuit.bit_registers()) ++classical_names_[r.name];
  for (const Parameter& p : circuit.parameters()) ++classical_names_[p.name];
  for (const Variable& v : circuit.variables()) ++classical_names_[v.name];
  choose_lets();
}

void Spelling::choose_lets() {
  const ExprPool& pool = circuit_.expressions();
  const std::vector<std::uint8_t> used = used_expressions(circuit_);
  let_of_.assign(pool.size(), kNoExpr);
  std::vector<std::uint32_t> size(pool.size(), 1);
  std::vector<std::uint32_t> depth(pool.size(), 1);
  for (ExprId id = 0; id < pool.size(); ++id) {
    const ExprNode& node = pool[id];
    const int operands = expr_operands(node.op);
    if (used[id] == 0 || (operands == 0 && node.op != ExprOp::element)) continue;
    const auto include = [&](ExprId operand) {
      size[id] += size[operand];
      depth[id] = std::max(depth[id], depth[operand] + 1);
    };
    if (operands >= 1) include(node.a);
    if (operands == 2 || node.op == ExprOp::element) include(node.b);
    if (size[id] <= kLetSize * 2 && depth[id] <= kLetDepth) continue;
    let_of_[id] = static_cast<std::uint32_t>(lets_.size());
    lets_.push_back(id);
    size[id] = 1;
    depth[id] = 1;
  }
}

std::string Spelling::classical(std::string_view name) const {
  if (name.empty() || classical_names_.find(name)->second != 1) return {};
  return is_reserved(name) ? quoted(name) : spelled(name);
}

std::string Spelling::wire(Wire wire) const {
  const Register& r = register_of(circuit_.wire_registers(), wire);
  if (r.name.empty() || wire_names_.find(r.name)->second != 1) return indexed("$wire", wire);
  return indexed(spelled(r.name), wire - r.first);
}

std::string Spelling::bit(std::uint32_t bit) const {
  const Register& r = register_of(circuit_.bit_registers(), bit);
  const std::string name = classical(r.name);
  return name.empty() ? indexed("$bit", bit) : indexed(name, bit - r.first);
}

std::string Spelling::bits(std::uint32_t first, std::uint32_t count) const {
  const Register& r = register_of(circuit_.bit_registers(), first);
  std::string name = classical(r.name);
  const std::uint32_t last = first + count - 1;
  if (name.empty() || last >= r.first + r.size) {
    return "$bit[" + std::to_string(first) + ":" + std::to_string(last) + "]";
  }
  if (first == r.first && count == r.size) return name;
  return name + "[" + std::to_string(first - r.first) + ":" + std::to_string(last - r.first) + "]";
}

std::string Spelling::variable(std::uint32_t index) const {
  const std::string name = classical(circuit_.variables()[index].name);
  return name.empty() ? indexed("$var", index) : name;
}

std::string Spelling::leaf(const ExprNode& node) const {
  if (node.op == ExprOp::constant) return constant_text(node.value);
  if (node.op == ExprOp::variable) return variable(node.a);
  if (node.op == ExprOp::bit) return bit(node.a);
  if (node.op == ExprOp::bits) return bits(node.a, node.b);
  if (node.op == ExprOp::element) {
    return variable(node.a) + "[" + operand(node.b, 0) + " of " + std::to_string(node.c) + "]";
  }
  const std::string name = classical(circuit_.parameters()[node.a].name);
  return name.empty() ? indexed("$param", node.a) : name;
}

int Spelling::level(ExprId id) const {
  if (let_of_[id] != kNoExpr) return kAtomLevel;
  const ExprNode& node = circuit_.expressions()[id];
  if (const InfixOperator* found = infix(node.op)) return found->level;
  if (node.op == ExprOp::pow) return kPowerLevel;
  const bool is_negative = node.op == ExprOp::constant && constant_text(node.value)[0] == '-';
  return is_negative || prefix(node.op) != nullptr ? kPrefixLevel : kAtomLevel;
}

std::string Spelling::operand(ExprId id, int least) const {
  const std::string text = expression(id);
  return level(id) < least ? "(" + text + ")" : text;
}

std::string Spelling::operation(const ExprNode& node) const {
  if (const InfixOperator* found = infix(node.op)) {
    return operand(node.a, found->level) + " " + std::string(found->symbol) + " " + operand(node.b, found->level + 1);
  }
  if (const PrefixOperator* found = prefix(node.op)) {
    return std::string(found->symbol) + operand(node.a, kPowerLevel);
  }
  if (node.op == ExprOp::pow) return operand(node.a, kAtomLevel) + " ** " + operand(node.b, kPowerLevel);
  const std::string name = node.op == ExprOp::cast ? type_text(node.type) : std::string(expr_name(node.op));
  const std::string second = expr_operands(node.op) == 2 ? ", " + operand(node.b, 0) : "";
  return name + "(" + operand(node.a, 0) + second + ")";
}

std::string Spelling::definition(ExprId id) const {
  const ExprNode& node = circuit_.expressions()[id];
  return expr_operands(node.op) == 0 ? leaf(node) : operation(node);
}

std::string Spelling::expression(ExprId id) const {
  return let_of_[id] == kNoExpr ? definition(id) : "$" + std::to_string(let_of_[id]);
}

std::string Spelling::param(const Param& param) const {
  return param.is_constant() ? number(param.value) : expression(param.expr);
}

}  // namespace skerry::ir
