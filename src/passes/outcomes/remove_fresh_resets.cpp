#include <algorithm>

#include "passes/pass.hpp"

namespace skerry::passes {
namespace {

Circuit remove_fresh_resets(const Circuit& circuit) {
  std::vector<std::uint8_t> touched(circuit.num_wires(), 0);
  const Block& body = circuit.body();
  Block into;
  into.reserve(body.size(), body.size(), body.size());
  for (std::size_t i = 0; i < body.size(); ++i) {
    const Instruction at = body[i];
    if (at.op == Op::reset && touched[at.wires[0]] == 0) continue;
    // A body may touch any wire.
    if (at.op == Op::if_else || at.op == Op::while_loop) std::ranges::fill(touched, 1);
    if (at.op != Op::barrier && at.op != Op::delay) {
      for (const Wire wire : at.wires) touched[wire] = 1;
    }
    into.append(at);
  }
  Circuit out = circuit;
  if (into.size() != body.size()) out.replace_block(0, std::move(into));
  return out;
}

}  // namespace

extern const CircuitPass remove_fresh_resets_pass;
const CircuitPass remove_fresh_resets_pass = {
    .name = "remove_fresh_resets",
    .help = "Leaves out resets of wires on which nothing has happened yet.",
    .run = remove_fresh_resets,
};

}  // namespace skerry::passes
