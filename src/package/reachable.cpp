#include "package/circuit_codec.hpp"

namespace skerry::package {

std::vector<std::uint8_t> reachable_blocks(const Circuit& circuit) {
  std::vector<std::uint8_t> is_reached(circuit.blocks().size(), 0);
  std::vector<BlockId> pending{0};
  const auto reach = [&](BlockId id) {
    if (id >= is_reached.size() || is_reached[id] != 0) return;
    is_reached[id] = 1;
    pending.push_back(id);
  };
  is_reached[0] = 1;
  while (!pending.empty()) {
    const Block& block = circuit.blocks()[pending.back()];
    pending.pop_back();
    for (std::size_t i = 0; i < block.size(); ++i) {
      const Instruction instruction = block[i];
      const bool is_branch = instruction.op == Op::if_else || instruction.op == Op::while_loop;
      if (!is_branch || instruction.aux >= circuit.branches().size()) continue;
      reach(circuit.branches()[instruction.aux].then_block);
      reach(circuit.branches()[instruction.aux].else_block);
    }
  }
  return is_reached;
}

}  // namespace skerry::package
