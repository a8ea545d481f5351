#include <algorithm>
#include <set>
#include <skerry/compile.hpp>
#include <skerry/error.hpp>
#include <string>

#include "ops/qubit/gate_record.hpp"
#include "passes/native/spelling.hpp"

namespace skerry {
namespace {

std::string on(std::span<const Wire> wires) {
  std::string text = wires.size() == 1 ? " on wire " : " on wires ";
  for (std::size_t i = 0; i < wires.size(); ++i) text += (i == 0 ? "" : ", ") + std::to_string(wires[i]);
  return text;
}

}  // namespace

void check_map(const Circuit& circuit, const Target& target) {
  std::set<std::pair<Op, std::uint16_t>> basis;
  for (const std::string& name : target.basis) {
    if (const auto gate = ops::find_gate(name)) basis.emplace(gate->op, gate->controls);
  }
  std::set<std::pair<Wire, Wire>> edges(target.coupling.begin(), target.coupling.end());
  const auto meets = [&](Wire a, Wire b) {
    return target.all_to_all || edges.contains({a, b}) || (!target.directed && edges.contains({b, a}));
  };
  for (std::size_t b = 0; b < circuit.blocks().size(); ++b) {
    const Block& block = circuit.blocks()[b];
    for (std::size_t i = 0; i < block.size(); ++i) {
      const Instruction at = block[i];
      const auto refuse = [&](const std::string& message, const std::string& hint) {
        throw Error(ErrorCode::semantic_error, message,
                    (b == 0 ? "" : "block " + std::to_string(b) + " ") + "gate " + std::to_string(i), hint);
      };
      for (const Wire wire : at.wires) {
        if (target.qubits != 0 && wire >= target.qubits) {
          refuse(std::string(op_name(at.op)) + on(at.wires) + ": the device has " + std::to_string(target.qubits),
                 "compile the circuit for the device");
        }
      }
      if (!is_gate(at.op) || at.op == Op::gphase) continue;
      if (!basis.contains({at.op, at.controls})) {
        refuse(passes::native::spelling(at) + on(at.wires) + " is not in the basis",
               "compile the circuit for the device");
      }
      if (at.wires.size() == 2 && !meets(at.wires[0], at.wires[1])) {
        const bool turned = target.directed && edges.contains({at.wires[1], at.wires[0]});
        refuse(passes::native::spelling(at) + on(at.wires) +
                   (turned ? ": the pair meets the other way round" : ": the pair does not meet"),
               "compile the circuit for the device");
      }
    }
  }
}

}  // namespace skerry
