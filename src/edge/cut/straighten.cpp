#include <algorithm>
#include <array>
#include <string>

#include "edge/cut/cuts.hpp"
#include "ops/qubit/gate_record.hpp"
#include "passes/native/kak.hpp"

namespace skerry::edge::cut {
namespace {

bool has_numbers_alone(const Instruction& gate) {
  return std::ranges::all_of(gate.params, [](const Param& param) { return param.is_constant(); });
}

bool is_pauli_rotation(const Instruction& gate) {
  return gate.controls == 0 && gate.op < Op::unitary && ops::gate_record(gate.op).generator.size() == 2;
}

class Straightener {
 public:
  explicit Straightener(const Circuit& circuit) : from_(circuit) {
    out_.circuit = Circuit(circuit.num_wires());
    for (const Parameter& parameter : circuit.parameters()) out_.circuit.add_parameter(parameter.name, parameter.type);
    out_.circuit.expressions() = circuit.expressions();
    for (const Matrix& matrix : circuit.matrices()) out_.circuit.add_matrix(matrix);
    for (Wire wire = 0; wire < circuit.num_wires(); ++wire) out_.place.push_back(wire);
    is_measured_.resize(circuit.num_wires());
    bit_is_written_.resize(circuit.num_bits());
  }

  Expected<Straight> run() {
    const Block& body = from_.body();
    for (std::size_t i = 0; i < body.size(); ++i) {
      const Instruction instruction = body[i];
      if (instruction.op == Op::barrier || instruction.op == Op::delay) continue;
      if (instruction.op == Op::measure) {
        if (is_measured_[instruction.wires[0]] || bit_is_written_[instruction.aux]) return midway();
        is_measured_[instruction.wires[0]] = bit_is_written_[instruction.aux] = true;
        out_.measured.emplace_back(instruction.wires[0], instruction.aux);
        continue;
      }
      if (!is_gate(instruction.op)) {
        return Unexpected{"the circuit holds '" + std::string(op_name(instruction.op)) +
                          "', and only gates and measurements at the end can be cut"};
      }
      if (std::ranges::any_of(instruction.wires, [this](Wire wire) { return is_measured_[wire]; })) return midway();
      gate(instruction);
    }
    return std::move(out_);
  }

 private:
  static Unexpected midway() { return Unexpected{"the circuit measures midway"}; }

  void gate(const Instruction& gate) {
    std::vector<Wire> wires;
    for (const Wire wire : gate.wires) wires.push_back(out_.place[wire]);
    if (gate.op == Op::swap && gate.controls == 0) {
      std::swap(out_.place[gate.wires[0]], out_.place[gate.wires[1]]);
      return;
    }
    const bool is_pair = gate.controls == 0 && wires.size() == 2;
    if (is_pair && !is_pauli_rotation(gate) && has_numbers_alone(gate)) return pair(gate, wires);
    out_.circuit.append(gate.op, wires, gate.params, gate.controls, gate.aux);
  }

  // A gate that has no two-term form of its own, in CX, which has one.
  void pair(const Instruction& gate, const std::vector<Wire>& wires) {
    using passes::native::TwoWireGate;
    const auto values = ops::instruction_matrix(from_, gate);
    passes::native::U4 matrix;
    std::ranges::copy(values, matrix.m.begin());
    for (const TwoWireGate& part : passes::native::synthesize(matrix)) {
      if (part.kind == TwoWireGate::Kind::cx_from_first) {
        out_.circuit.cx(wires[0], wires[1]);
      } else if (part.kind == TwoWireGate::Kind::cx_from_second) {
        out_.circuit.cx(wires[1], wires[0]);
      } else {
        const std::array<Wire, 1> wire{part.kind == TwoWireGate::Kind::first ? wires[0] : wires[1]};
        out_.circuit.unitary({1, {part.matrix.m.begin(), part.matrix.m.end()}}, wire);
      }
    }
  }

  const Circuit& from_;
  Straight out_;
  std::vector<bool> is_measured_, bit_is_written_;
};

}  // namespace

Expected<Straight> straighten(const Circuit& circuit) {
  return Straightener(circuit).run();
}

bool is_cuttable(const Instruction& gate, const std::vector<Wire>& side) {
  const auto is_here = [&](Wire wire) { return std::ranges::find(side, wire) != side.end(); };
  const auto here = std::ranges::count_if(gate.wires, is_here);
  if (here == 0 || here == std::ssize(gate.wires)) return false;
  if (gate.controls == 0) return is_pauli_rotation(gate);
  // The targets, and at least one wire, on one side; controls alone on the other.
  const auto targets = gate.targets();
  const auto targets_here = std::ranges::count_if(targets, is_here);
  return targets_here == 0 || targets_here == std::ssize(targets);
}

}  // namespace skerry::edge::cut
