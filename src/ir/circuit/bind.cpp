#include <cmath>
#include <skerry/circuit.hpp>
#include <skerry/error.hpp>

#include "ir/circuit/arithmetic.hpp"
#include "ir/circuit/uses.hpp"

namespace skerry {
namespace {

/// Rebuilds the used part of a pool with numbers for parameters; making a node folds it. Gives the new id of each old.
std::vector<ExprId> substitute(const ExprPool& from, ExprPool& to, std::span<const std::uint8_t> used,
                               std::span<const double> values) {
  std::vector<ExprId> renamed(from.size(), kNoExpr);
  for (ExprId id = 0; id < from.size(); ++id) {
    if (used[id] == 0) continue;
    const ExprNode& node = from[id];
    const int operands = ir::expr_operands(node.op);
    if (operands == 2) {
      renamed[id] = to.binary(node.op, renamed[node.a], renamed[node.b]);
    } else if (node.op == ExprOp::cast) {
      renamed[id] = to.cast(renamed[node.a], node.type);
    } else if (operands == 1) {
      renamed[id] = to.unary(node.op, renamed[node.a]);
    } else if (node.op == ExprOp::constant) {
      renamed[id] = to.constant(node.value);
    } else if (node.op == ExprOp::parameter) {
      renamed[id] = to.constant(Scalar::of(values[node.a]).cast(node.type));
    } else {
      renamed[id] = to.leaf(node.op, node.a, node.type, node.op == ExprOp::element ? renamed[node.b] : node.b, node.c);
    }
  }
  return renamed;
}

Block rewritten(const Block& block, const ExprPool& pool, std::span<const ExprId> renamed) {
  Block result;
  std::size_t wires = 0;
  std::size_t params = 0;
  for (std::size_t i = 0; i < block.size(); ++i) {
    wires += block[i].wires.size();
    params += block[i].params.size();
  }
  result.reserve(block.size(), wires, params);
  std::vector<Param> bound;
  for (std::size_t i = 0; i < block.size(); ++i) {
    Instruction instruction = block[i];
    bound.assign(instruction.params.begin(), instruction.params.end());
    for (Param& p : bound) {
      if (p.is_constant()) continue;
      const ExprId id = renamed[p.expr];
      p = pool.is_constant(id) ? Param{pool[id].value.as_real()} : Param{0.0, id};
    }
    instruction.params = bound;
    result.append(instruction);
  }
  return result;
}

void check_values(const std::vector<Parameter>& parameters, std::span<const double> values) {
  if (values.size() != parameters.size()) {
    std::string message =
        std::to_string(values.size()) + " values for " + std::to_string(parameters.size()) + " parameters";
    constexpr std::size_t kNamed = 8;
    for (std::size_t i = values.size(); i < parameters.size() && i < values.size() + kNamed; ++i) {
      message += (i == values.size() ? ", missing '" : ", '") + parameters[i].name + "'";
    }
    throw Error(ErrorCode::invalid_argument, message, {}, "give one value per parameter in order of declaration");
  }
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (std::isfinite(values[i])) continue;
    throw Error(ErrorCode::invalid_argument,
                "the value of parameter '" + parameters[i].name + "' is not a finite number");
  }
}

}  // namespace

Circuit Circuit::bind(std::span<const double> values) const {
  check_values(parameters_, values);
  Circuit bound;
  bound.name = name;
  bound.num_wires_ = num_wires_;
  bound.num_bits_ = num_bits_;
  bound.wire_registers_ = wire_registers_;
  bound.bit_registers_ = bit_registers_;
  bound.variables_ = variables_;
  bound.matrices_ = matrices_;
  bound.branches_ = branches_;
  bound.assignments_ = assignments_;
  const auto renamed = substitute(expressions_, bound.expressions_, ir::used_expressions(*this), values);
  for (Branch& branch : bound.branches_) branch.condition = renamed[branch.condition];
  for (Assignment& assignment : bound.assignments_) {
    assignment.value = renamed[assignment.value];
    if (assignment.index != kNoExpr) assignment.index = renamed[assignment.index];
  }
  bound.blocks_.clear();
  for (const Block& block : blocks_) bound.blocks_.push_back(rewritten(block, bound.expressions_, renamed));
  return bound;
}

}  // namespace skerry
