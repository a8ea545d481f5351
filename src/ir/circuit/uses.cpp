#include "ir/circuit/uses.hpp"

#include <algorithm>

#include "ir/circuit/arithmetic.hpp"

namespace skerry::ir {

std::vector<std::uint8_t> used_expressions(const Circuit& circuit) {
  const ExprPool& pool = circuit.expressions();
  std::vector<std::uint8_t> used(pool.size(), 0);
  const auto use = [&used](ExprId id) {
    if (id < used.size()) used[id] = 1;
  };
  for (const Block& block : circuit.blocks()) {
    for (std::size_t i = 0; i < block.size(); ++i) {
      for (const Param& p : block[i].params) use(p.expr);
    }
  }
  for (const Branch& branch : circuit.branches()) use(branch.condition);
  for (const Assignment& assignment : circuit.assignments()) {
    use(assignment.index);
    use(assignment.value);
  }
  // Operands have smaller ids, so one walk down reaches everything.
  for (std::size_t id = pool.size(); id-- > 0;) {
    if (used[id] == 0) continue;
    const ExprNode& node = pool[static_cast<ExprId>(id)];
    const int operands = expr_operands(node.op);
    if (operands >= 1) use(node.a);
    if (operands == 2 || node.op == ExprOp::element) use(node.b);
  }
  return used;
}

std::vector<std::uint8_t> used_wires(const Circuit& circuit) {
  std::vector<std::uint8_t> used(circuit.num_wires(), 0);
  for (const Block& block : circuit.blocks()) {
    for (std::size_t i = 0; i < block.size(); ++i) {
      const Instruction at = block[i];
      if (at.op == Op::barrier) continue;
      for (const Wire wire : at.wires) used[wire] = 1;
    }
  }
  return used;
}

std::optional<Wire> repeated_wire(std::span<const Wire> wires) {
  if (wires.size() <= 8) {
    for (std::size_t i = 1; i < wires.size(); ++i) {
      for (std::size_t j = 0; j < i; ++j) {
        if (wires[i] == wires[j]) return wires[i];
      }
    }
    return std::nullopt;
  }
  std::vector<Wire> sorted(wires.begin(), wires.end());
  std::ranges::sort(sorted);
  const auto repeated = std::ranges::adjacent_find(sorted);
  if (repeated == sorted.end()) return std::nullopt;
  return *repeated;
}

}  // namespace skerry::ir
