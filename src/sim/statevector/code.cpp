#include "sim/statevector/code.hpp"

#include <algorithm>
#include <skerry/error.hpp>
#include <string>

namespace skerry::sim {
namespace {

/// Positions of the wires that some gate touches; wires that are only measured or reset stay in |0>.
void place_wires(const Circuit& circuit, bool all_wires, Code& code) {
  std::vector<bool> touched(circuit.num_wires(), all_wires);
  for (const Block& block : circuit.blocks()) {
    for (std::size_t i = 0; i < block.size(); ++i) {
      const Instruction instruction = block[i];
      if (!is_gate(instruction.op)) continue;
      for (const Wire wire : instruction.wires) touched[wire] = true;
    }
  }
  code.positions.assign(circuit.num_wires(), kIdle);
  for (Wire wire = 0; wire < circuit.num_wires(); ++wire) {
    if (touched[wire]) code.positions[wire] = static_cast<std::uint32_t>(code.wires++);
  }
}

/// Which instructions of the body are measurements that may wait until the end: nothing later touches their wire,
/// computes, branches, or writes their bit before the end.
std::vector<bool> deferrable(const Circuit& circuit) {
  const Block& body = circuit.body();
  std::vector<bool> out(body.size());
  std::vector<bool> wire_used(circuit.num_wires()), bit_written(circuit.num_bits());
  for (std::size_t i = body.size(); i-- > 0;) {
    const Instruction instruction = body[i];
    const Op op = instruction.op;
    if (op == Op::barrier || op == Op::delay) continue;
    if (op == Op::measure) {
      const Wire wire = instruction.wires[0];
      out[i] = !wire_used[wire] && !bit_written[instruction.aux];
      if (out[i]) continue;
      bit_written[instruction.aux] = true;
      wire_used[wire] = true;
    } else if (is_gate(op) || op == Op::reset) {
      for (const Wire wire : instruction.wires) wire_used[wire] = true;
    } else {
      break;  // whatever reads or writes bits must find the earlier measurements done
    }
  }
  return out;
}

class Flattener {
 public:
  Flattener(const Circuit& circuit, Code& code) : circuit_(circuit), code_(code) {}

  void run() {
    const std::vector<bool> waits = deferrable(circuit_);
    block(0, waits);
    for (std::size_t i = 0; i < waits.size(); ++i)
      if (waits[i]) measure(circuit_.body()[i]);
    patch(ends_, here());
  }

 private:
  struct Loop {
    std::uint32_t start = 0;
    std::vector<std::uint32_t> breaks;
  };

  std::uint32_t here() const { return static_cast<std::uint32_t>(code_.steps.size()); }
  std::uint32_t emit(StepKind kind, std::uint32_t a = 0, std::uint32_t b = 0) {
    code_.steps.push_back({kind, a, b});
    return here() - 1;
  }
  void patch(const std::vector<std::uint32_t>& steps, std::uint32_t target) {
    for (const std::uint32_t step : steps) code_.steps[step].a = target;
  }
  void measure(const Instruction& instruction) {
    emit(StepKind::measure, code_.positions[instruction.wires[0]], instruction.aux);
    code_.has_measure = true;
  }

  void block(BlockId id, const std::vector<bool>& skipped) {
    const Block& block = circuit_.blocks()[id];
    for (std::size_t i = 0; i < block.size(); ++i) {
      if (i < skipped.size() && skipped[i]) continue;
      instruction(id, static_cast<std::uint32_t>(i), block[i]);
    }
  }

  void instruction(BlockId id, std::uint32_t index, const Instruction& instruction) {
    switch (instruction.op) {
#define SKERRY_GATE(name, targets, parameters) case Op::name:
#include <skerry/gates.def>
#undef SKERRY_GATE
      case Op::unitary:
        emit(StepKind::gate, index, id);
        break;
      case Op::measure:
        measure(instruction);
        break;
      case Op::reset:
        // A wire that no gate touches is in |0> already.
        if (code_.positions[instruction.wires[0]] != kIdle)
          emit(StepKind::reset, code_.positions[instruction.wires[0]]);
        break;
      case Op::channel:
        throw Error(ErrorCode::unsupported, "a channel is not simulated by a method without noise",
                    "block " + std::to_string(id) + " gate " + std::to_string(index),
                    "use method density or trajectories");
      case Op::barrier:
      case Op::delay:
        break;
      case Op::assign:
        emit(StepKind::assign, instruction.aux);
        break;
      case Op::if_else:
        if_else(circuit_.branches()[instruction.aux]);
        break;
      case Op::while_loop:
        while_loop(circuit_.branches()[instruction.aux]);
        break;
      case Op::break_loop:
        loops_.back().breaks.push_back(emit(StepKind::jump));
        break;
      case Op::continue_loop:
        emit(StepKind::jump, loops_.back().start);
        break;
#define SKERRY_MODE_OP(name, modes, parameters) case Op::name:
#include <skerry/modes.def>
#undef SKERRY_MODE_OP
        throw Error(ErrorCode::invalid_argument,
                    "'" + std::string(op_name(instruction.op)) + "' acts on modes, in a circuit of qubits");
      case Op::end:
        ends_.push_back(emit(StepKind::jump));
        break;
    }
  }

  void if_else(const Branch& branch) {
    const std::uint32_t test = emit(StepKind::jump_unless, 0, branch.condition);
    if (branch.then_block != kNoBlock) block(branch.then_block, {});
    if (branch.else_block == kNoBlock) {
      patch({test}, here());
      return;
    }
    const std::uint32_t skip = emit(StepKind::jump);
    patch({test}, here());
    block(branch.else_block, {});
    patch({skip}, here());
  }

  void while_loop(const Branch& branch) {
    loops_.push_back({here(), {}});
    const std::uint32_t test = emit(StepKind::jump_unless, 0, branch.condition);
    if (branch.then_block != kNoBlock) block(branch.then_block, {});
    emit(StepKind::jump, loops_.back().start);
    loops_.back().breaks.push_back(test);
    patch(loops_.back().breaks, here());
    loops_.pop_back();
  }

  const Circuit& circuit_;
  Code& code_;
  std::vector<Loop> loops_;
  std::vector<std::uint32_t> ends_;
};

bool touches_state(const Step& step) {
  return step.kind == StepKind::gate || step.kind == StepKind::reset;
}
bool is_jump(const Step& step) {
  return step.kind == StepKind::jump || step.kind == StepKind::jump_unless;
}

/// The tail begins after the last step that touches the state, and after every jump back to before itself.
void find_tail(Code& code) {
  const auto size = static_cast<std::uint32_t>(code.steps.size());
  for (std::uint32_t i = 0; i < size; ++i)
    if (touches_state(code.steps[i])) code.tail = i + 1;
  for (std::uint32_t i = 0; i < size; ++i) {
    const Step& step = code.steps[i];
    if (!is_jump(step) || step.a > i) continue;
    code.has_loop = true;
    if (i >= code.tail && step.a < code.tail) code.tail = i + 1;
  }
  for (std::uint32_t i = 0; i < size; ++i) {
    const StepKind kind = code.steps[i].kind;
    const bool random = kind == StepKind::measure || kind == StepKind::reset;
    if (i >= code.tail) {
      code.tail_is_measures = code.tail_is_measures && kind == StepKind::measure;
      continue;
    }
    code.is_dynamic = code.is_dynamic || kind != StepKind::gate;
    code.random_steps += random ? 1U : 0U;
  }
}

}  // namespace

Code flatten(const Circuit& circuit, bool all_wires) {
  Code code;
  place_wires(circuit, all_wires, code);
  Flattener(circuit, code).run();
  find_tail(code);
  return code;
}

OutcomeBits choose_outcome_bits(const Circuit& circuit, bool asks_shots, Code& code) {
  if (code.has_measure) return {circuit.num_bits(), circuit.num_bits()};
  if (asks_shots) {
    for (Wire wire = 0; wire < circuit.num_wires(); ++wire)
      code.steps.push_back({StepKind::measure, code.positions[wire], wire});
  }
  return {circuit.num_wires(), std::max(circuit.num_bits(), circuit.num_wires())};
}

DistributionSubject distribution_subject(const Circuit& circuit, const RunOptions& options, const Code& code) {
  if (!options.probability_wires.empty())
    return {.is_bits = false, .wires = options.probability_wires, .size = options.probability_wires.size()};
  if (code.is_dynamic && code.has_measure) return {.is_bits = true, .wires = {}, .size = circuit.num_bits()};
  DistributionSubject all{.is_bits = false, .wires = {}, .size = circuit.num_wires()};
  for (Wire wire = 0; wire < circuit.num_wires(); ++wire) all.wires.push_back(wire);
  return all;
}

std::optional<std::string> refuse_distribution(std::size_t size, bool is_bits, std::size_t most) {
  if (size <= most) return std::nullopt;
  return "a distribution over " + std::to_string(size) + (is_bits ? " bits" : " wires") + " has more than 2^" +
         std::to_string(most) + " entries";
}

}  // namespace skerry::sim
