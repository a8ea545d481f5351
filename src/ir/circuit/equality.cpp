#include <bit>
#include <skerry/circuit.hpp>

#include "ir/circuit/arithmetic.hpp"

namespace skerry {
namespace {

bool same_number(double l, double r) {
  return std::bit_cast<std::uint64_t>(l) == std::bit_cast<std::uint64_t>(r);
}

/// Walks two circuits side by side from their bodies. Indices of blocks, branches, assignments, matrices,
/// channels and expressions are names that do not count; what they lead to does. Each pair is entered once, so shared
/// and even cyclic structures end, and no depth of nesting recurses.
class Comparison {
 public:
  Comparison(const Circuit& l, const Circuit& r)
      : l_(l), r_(r), expr_of_(l.expressions().size(), kNoExpr), block_of_(l.blocks().size(), kNoBlock) {}

  bool equal() {
    if (!pair_blocks(0, 0)) return false;
    while (!blocks_.empty()) {
      const auto [lb, rb] = blocks_.back();
      blocks_.pop_back();
      const Block& left = l_.blocks()[lb];
      const Block& right = r_.blocks()[rb];
      if (left.size() != right.size()) return false;
      for (std::size_t i = 0; i < left.size(); ++i) {
        if (!same_instruction(left[i], right[i])) return false;
      }
    }
    return true;
  }

 private:
  bool pair_blocks(BlockId l, BlockId r) {
    if (l == kNoBlock || r == kNoBlock) return l == r;
    if (block_of_[l] != kNoBlock) return block_of_[l] == r;
    block_of_[l] = r;
    blocks_.emplace_back(l, r);
    return true;
  }

  bool same_instruction(const Instruction& l, const Instruction& r) {
    if (l.op != r.op || l.controls != r.controls || l.params.size() != r.params.size()) return false;
    if (!std::equal(l.wires.begin(), l.wires.end(), r.wires.begin(), r.wires.end())) return false;
    for (std::size_t i = 0; i < l.params.size(); ++i) {
      if (l.params[i].is_constant() != r.params[i].is_constant()) return false;
      if (l.params[i].is_constant() ? !same_number(l.params[i].value, r.params[i].value)
                                    : !same_expression(l.params[i].expr, r.params[i].expr)) {
        return false;
      }
    }
    return same_aux(l, r);
  }

  bool same_aux(const Instruction& l, const Instruction& r) {
    if (l.op == Op::unitary) return l_.matrices()[l.aux] == r_.matrices()[r.aux];
    if (l.op == Op::channel) return l_.channels()[l.aux] == r_.channels()[r.aux];
    if (l.op == Op::assign) {
      const Assignment& a = l_.assignments()[l.aux];
      const Assignment& b = r_.assignments()[r.aux];
      return a.to_bits == b.to_bits && a.first == b.first && a.count == b.count && same_expression(a.index, b.index) &&
             same_expression(a.value, b.value);
    }
    if (l.op == Op::if_else || l.op == Op::while_loop) {
      const Branch& a = l_.branches()[l.aux];
      const Branch& b = r_.branches()[r.aux];
      return same_expression(a.condition, b.condition) && pair_blocks(a.then_block, b.then_block) &&
             pair_blocks(a.else_block, b.else_block);
    }
    return l.op != Op::measure || l.aux == r.aux;
  }

  /// Pools are hash-consed, so an expression has at most one partner: a pair is either known or walked once.
  bool same_expression(ExprId l, ExprId r) {
    if (!pair_expressions(l, r)) return false;
    while (!expressions_.empty()) {
      const auto [le, re] = expressions_.back();
      expressions_.pop_back();
      const ExprNode& a = l_.expressions()[le];
      const ExprNode& b = r_.expressions()[re];
      if (a.op != b.op || a.type != b.type || a.c != b.c) return false;
      const int operands = ir::expr_operands(a.op);
      if (a.op == ExprOp::constant && a.value.integer != b.value.integer) return false;
      if (operands >= 1 ? !pair_expressions(a.a, b.a) : a.a != b.a) return false;
      const bool has_second = operands == 2 || a.op == ExprOp::element;
      if (has_second ? !pair_expressions(a.b, b.b) : a.b != b.b) return false;
    }
    return true;
  }

  bool pair_expressions(ExprId l, ExprId r) {
    if (l == kNoExpr || r == kNoExpr) return l == r;
    if (expr_of_[l] != kNoExpr) return expr_of_[l] == r;
    expr_of_[l] = r;
    expressions_.emplace_back(l, r);
    return true;
  }

  const Circuit& l_;
  const Circuit& r_;
  std::vector<ExprId> expr_of_;
  std::vector<BlockId> block_of_;
  std::vector<std::pair<BlockId, BlockId>> blocks_;
  std::vector<std::pair<ExprId, ExprId>> expressions_;
};

}  // namespace

bool Circuit::operator==(const Circuit& other) const {
  return name == other.name && num_wires_ == other.num_wires_ && num_bits_ == other.num_bits_ &&
         wire_registers_ == other.wire_registers_ && bit_registers_ == other.bit_registers_ &&
         parameters_ == other.parameters_ && variables_ == other.variables_ && Comparison(*this, other).equal();
}

}  // namespace skerry
