#include <algorithm>

#include "ops/qubit/gate_record.hpp"
#include "passes/pass.hpp"

namespace skerry::passes {
namespace {

// Exactly the identity, phase included: id, and rotations whose generator form has angle zero.
bool does_nothing(const Instruction& instruction) {
  if (instruction.op >= Op::unitary) return false;
  if (instruction.op == Op::id) return true;
  const bool zero = !instruction.params.empty() && std::ranges::all_of(instruction.params, [](const Param& p) {
    return p.is_constant() && p.value == 0.0;
  });
  return zero && (instruction.op == Op::p || instruction.op == Op::u || instruction.op == Op::gphase ||
                  !ops::gate_record(instruction.op).generator.empty());
}

Circuit remove_identities(const Circuit& circuit) {
  Circuit output = circuit;
  for (BlockId id = 0; id < circuit.blocks().size(); ++id) {
    const Block& block = circuit.blocks()[id];
    Block kept;
    for (std::size_t i = 0; i < block.size(); ++i) {
      if (!does_nothing(block[i])) kept.append(block[i]);
    }
    if (kept.size() != block.size()) output.replace_block(id, std::move(kept));
  }
  return output;
}

}  // namespace

extern const CircuitPass remove_identities_pass;
const CircuitPass remove_identities_pass = {
    .name = "remove_identities",
    .help = "Removes id gates and rotations by exactly zero.",
    .run = remove_identities,
};

}  // namespace skerry::passes
