#include <algorithm>

#include "ops/qubit/gate_record.hpp"
#include "passes/pass.hpp"

namespace skerry::passes {
namespace {

// What the rest of the program asks of a wire: nothing, its outcome in the computational basis, its whole state.
enum class Asked : std::uint8_t { nothing, outcome, state };

bool is_flow(Op op) {
  return op == Op::if_else || op == Op::while_loop || op == Op::break_loop || op == Op::continue_loop || op == Op::end;
}

class Backwards {
 public:
  explicit Backwards(std::uint32_t wires) : asked_(wires, Asked::nothing) {}

  // True for what has to stay; what is asked of the wires before it is noted.
  bool stays(const Instruction& at) {
    if (is_flow(at.op)) {
      std::ranges::fill(asked_, Asked::state);
      return true;
    }
    if (at.op == Op::measure) {
      Asked& wire = asked_[at.wires[0]];
      wire = std::max(wire, Asked::outcome);
      return true;
    }
    if (at.op == Op::reset) {
      Asked& wire = asked_[at.wires[0]];
      const bool matters = wire != Asked::nothing;
      wire = Asked::nothing;
      return matters;
    }
    if (at.op == Op::delay) {
      return std::ranges::any_of(at.wires, [&](Wire wire) { return asked_[wire] != Asked::nothing; });
    }
    if (at.op == Op::channel) {  // preserves the trace: on wires of which nothing is asked it does not matter
      const bool matters = std::ranges::any_of(at.wires, [&](Wire wire) { return asked_[wire] != Asked::nothing; });
      if (matters)
        for (const Wire wire : at.wires) asked_[wire] = Asked::state;
      return matters;
    }
    if (!is_gate(at.op) || at.wires.empty()) return true;
    return gate_stays(at);
  }

 private:
  // U leaves out when it commutes with all that is asked: then U^dagger M U = M for every outcome M.
  bool gate_stays(const Instruction& at) {
    const bool diagonal = at.op != Op::unitary && ops::gate_record(at.op).structure == ops::Structure::diagonal;
    bool matters = false;
    for (std::size_t k = 0; k < at.wires.size(); ++k) {
      const Asked asked = asked_[at.wires[k]];
      const bool keeps_outcome = diagonal || k < at.controls;
      matters = matters || asked == Asked::state || (asked == Asked::outcome && !keeps_outcome);
    }
    if (!matters) return false;
    for (const Wire wire : at.wires) asked_[wire] = Asked::state;
    return true;
  }

  std::vector<Asked> asked_;
};

Circuit remove_unobserved(const Circuit& circuit) {
  const Block& body = circuit.body();
  bool reads = false;
  for (std::size_t i = 0; i < body.size(); ++i) reads = reads || body[i].op == Op::measure || is_flow(body[i].op);
  if (!reads) return circuit;  // the state is the answer
  Backwards walk(circuit.num_wires());
  std::vector<std::uint8_t> stays(body.size());
  for (std::size_t i = body.size(); i-- > 0;) stays[i] = walk.stays(body[i]) ? 1 : 0;
  if (std::ranges::find(stays, 0) == stays.end()) return circuit;
  Block into;
  into.reserve(body.size(), body.size(), body.size());
  for (std::size_t i = 0; i < body.size(); ++i) {
    if (stays[i] != 0) into.append(body[i]);
  }
  Circuit out = circuit;
  out.replace_block(0, std::move(into));
  return out;
}

}  // namespace

extern const CircuitPass remove_unobserved_pass;
const CircuitPass remove_unobserved_pass = {
    .name = "remove_unobserved",
    .help = "Keeps the light cone of the measurements: gates stay only where some bit could tell.",
    .run = remove_unobserved,
};

}  // namespace skerry::passes
