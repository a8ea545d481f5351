#include "sim/statevector/light_cone.hpp"

#include <algorithm>
#include <bit>
#include <numeric>

#include "ops/qubit/gate_record.hpp"

namespace skerry::sim {

using ops::Structure;

Structure structure_of(const Circuit& circuit, const Instruction& instruction) {
  if (instruction.op != Op::unitary) return ops::gate_record(instruction.op).structure;
  const Matrix& matrix = circuit.matrices()[instruction.aux];
  const std::size_t rows = std::size_t{1} << matrix.wires;
  for (std::size_t i = 0; i < matrix.values.size(); ++i)
    if (i / rows != i % rows && matrix.values[i] != 0.0) return Structure::dense;
  return Structure::diagonal;
}

namespace {

/// One gate, asked whether it matters to the interests so far; if so they become those before the gate.
bool matters(const Circuit& circuit, const Instruction& gate, std::vector<Interest>& interests) {
  const Structure structure = structure_of(circuit, gate);
  const std::size_t mixed_from = structure == Structure::diagonal ? gate.wires.size() : gate.controls;
  const auto looked_at = gate.wires.first(mixed_from), mixed = gate.wires.subspan(mixed_from);
  const auto is_any = [&](Wire wire) { return interests[wire] == Interest::any; };
  const auto is_none = [&](Wire wire) { return interests[wire] == Interest::none; };
  if (std::ranges::all_of(mixed, is_none) && std::ranges::none_of(looked_at, is_any)) return false;
  const bool permutes = structure == Structure::permutation || structure == Structure::antidiagonal;
  const bool stays_diagonal = permutes && std::ranges::none_of(gate.wires, is_any);
  for (const Wire wire : mixed) interests[wire] = stays_diagonal ? Interest::diagonal : Interest::any;
  for (const Wire wire : looked_at) interests[wire] = std::max(interests[wire], Interest::diagonal);
  return true;
}

/// Wires that have been joined, each set named by one of them.
class Sets {
 public:
  explicit Sets(std::size_t size) : parent_(size) { std::iota(parent_.begin(), parent_.end(), 0U); }
  Wire find(Wire wire) {
    while (parent_[wire] != wire) wire = parent_[wire] = parent_[parent_[wire]];
    return wire;
  }
  void join(Wire a, Wire b) { parent_[find(a)] = find(b); }

 private:
  std::vector<Wire> parent_;
};

}  // namespace

std::vector<Register> light_cone(const Circuit& circuit, std::vector<Interest> interests) {
  const Block& body = circuit.body();
  std::vector<std::uint32_t> kept;
  Sets sets(circuit.num_wires());
  for (std::size_t i = body.size(); i-- > 0;) {
    const Instruction gate = body[i];
    // A gate on no wire is a phase of the whole state.
    if (!is_gate(gate.op) || gate.wires.empty() || !matters(circuit, gate, interests)) continue;
    kept.push_back(static_cast<std::uint32_t>(i));
    for (const Wire wire : gate.wires) sets.join(wire, gate.wires[0]);
  }
  std::ranges::reverse(kept);
  constexpr std::uint32_t none = 0xffffffffU;
  std::vector<std::uint32_t> register_of(circuit.num_wires(), none);
  std::vector<bool> seen(circuit.num_wires());
  std::vector<Register> out;
  for (const std::uint32_t i : kept) {
    const Instruction gate = body[i];
    std::uint32_t& which = register_of[sets.find(gate.wires[0])];
    if (which == none) {
      which = static_cast<std::uint32_t>(out.size());
      out.emplace_back();
    }
    out[which].gates.push_back(i);
    for (const Wire wire : gate.wires) {
      if (!seen[wire]) out[which].wires.push_back(wire);
      seen[wire] = true;
    }
  }
  for (Register& one : out) std::ranges::sort(one.wires);
  return out;
}

void add_interest(const PauliTerm& term, std::vector<Interest>& interests) {
  for (std::size_t word = 0; word < term.x.size(); ++word) {
    for (std::uint64_t rest = term.x[word] | term.z[word]; rest != 0; rest &= rest - 1) {
      const auto bit = static_cast<std::size_t>(std::countr_zero(rest));
      Interest& interest = interests[64 * word + bit];
      interest = std::max(interest, (term.x[word] >> bit & 1) != 0 ? Interest::any : Interest::diagonal);
    }
  }
}

Circuit with_gates(const Circuit& circuit, std::span<const std::uint32_t> gates) {
  Circuit out = circuit;
  Block body;
  for (const std::uint32_t i : gates) body.append(circuit.body()[i]);
  out.replace_block(0, std::move(body));
  return out;
}

}  // namespace skerry::sim
