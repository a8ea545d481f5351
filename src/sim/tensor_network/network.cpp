#include "sim/tensor_network/network.hpp"

#include <algorithm>
#include <bit>
#include <numeric>

#include "sim/noise/noisy_circuit.hpp"
#include "sim/statevector/light_cone.hpp"

namespace skerry::sim {
namespace {

using Complex = std::complex<double>;
constexpr Index kNoIndex = 0xffffffffU;

/// Lays tensors along wires.
class Builder {
 public:
  explicit Builder(const Circuit& circuit) : circuit_(circuit), at_(circuit.num_wires(), kNoIndex) {}

  void start(Wire wire) {
    at_[wire] = out_.network.indices++;
    leaf(wire, {at_[wire]}, {.kind = LeafSource::Kind::zero});
  }
  bool is_started(Wire wire) const { return at_[wire] != kNoIndex; }
  void close(Wire wire) { leaf(wire, {at_[wire]}, {.kind = LeafSource::Kind::bit, .number = wire}); }

  /// conjugate: of the bra, whose wires run the other way, which for a tensor is the same thing.
  void gate(std::uint32_t number, bool conjugate) {
    const Instruction gate = circuit_.body()[number];
    for (const Wire wire : gate.wires)
      if (!is_started(wire)) start(wire);
    if (gate.op == Op::swap && gate.controls == 0) return std::swap(at_[gate.wires[0]], at_[gate.wires[1]]);
    std::vector<Index> axes;
    for (const Wire wire : gate.targets()) axes.push_back(at_[wire]);
    if (structure_of(circuit_, gate) != ops::Structure::diagonal)
      for (const Wire wire : gate.targets()) axes.push_back(at_[wire] = out_.network.indices++);
    for (const Wire wire : gate.control_wires()) axes.push_back(at_[wire]);
    leaf(*std::ranges::min_element(gate.wires), std::move(axes),
         {.kind = LeafSource::Kind::gate, .conjugate = conjugate, .number = number});
  }

  void pauli(Wire wire, char letter) {
    std::vector<Index> axes = {at_[wire]};
    if (letter != 'Z') axes.push_back(at_[wire] = out_.network.indices++);
    leaf(wire, std::move(axes), {.kind = LeafSource::Kind::pauli, .letter = letter});
  }

  /// The wires' ends, and new beginnings for the bra.
  std::vector<Index> ends() const { return at_; }
  void restart() { std::ranges::fill(at_, kNoIndex); }
  /// Joins the ends to those of the other half: the later indices take the earlier ones' names.
  void join(std::span<const Index> other) {
    std::vector<Index> name(out_.network.indices);
    std::iota(name.begin(), name.end(), 0U);
    for (Wire wire = 0; wire < at_.size(); ++wire)
      if (at_[wire] != kNoIndex) name[at_[wire]] = other[wire];
    for (auto& axes : out_.network.leaves)
      for (Index& axis : axes) axis = name[axis];
  }
  Question take() {
    // Names in order of appearance: circuits that look alike make equal networks.
    std::vector<Index> name(out_.network.indices, kNoIndex);
    Index next = 0;
    for (auto& axes : out_.network.leaves) {
      for (Index& axis : axes) {
        if (name[axis] == kNoIndex) name[axis] = next++;
        axis = name[axis];
      }
    }
    out_.network.indices = next;
    out_.network.along.resize(lowest_.size());
    std::iota(out_.network.along.begin(), out_.network.along.end(), 0U);
    std::ranges::stable_sort(out_.network.along, {}, [&](std::uint32_t leaf) { return lowest_[leaf]; });
    return std::move(out_);
  }

 private:
  void leaf(Wire lowest, std::vector<Index> axes, LeafSource source) {
    lowest_.push_back(lowest);
    out_.network.leaves.push_back(std::move(axes));
    out_.sources.push_back(source);
  }

  const Circuit& circuit_;
  std::vector<Index> at_;
  std::vector<Wire> lowest_;
  Question out_;
};

char letter_of(const PauliTerm& term, Wire wire) {
  const bool x = (term.x[wire / 64] >> (wire % 64) & 1) != 0, z = (term.z[wire / 64] >> (wire % 64) & 1) != 0;
  return x ? (z ? 'Y' : 'X') : z ? 'Z' : 'I';
}

std::vector<Complex> gate_values(const Circuit& circuit, const LeafSource& source) {
  const Instruction gate = circuit.body()[source.number];
  std::vector<double> params;
  for (const Param& param : gate.params) params.push_back(param.value);
  const Matrix matrix = target_matrix(circuit, gate, params);
  const bool is_diagonal = structure_of(circuit, gate) == ops::Structure::diagonal;
  const std::size_t rows = std::size_t{1} << matrix.wires, below = is_diagonal ? rows : rows * rows;
  std::vector<Complex> out(below << gate.controls);
  const std::size_t all_ones = (std::size_t{1} << gate.controls) - 1;
  for (std::size_t i = 0; i < out.size(); ++i) {
    const std::size_t in = i % rows, to = is_diagonal ? in : i / rows % rows;
    if (i / below == all_ones)
      out[i] = matrix.values[to * rows + in];
    else
      out[i] = in == to ? 1.0 : 0.0;
    if (source.conjugate) out[i] = std::conj(out[i]);
  }
  return out;
}

}  // namespace

std::size_t gate_axes(const Circuit& circuit, const Instruction& gate) {
  const bool is_diagonal = structure_of(circuit, gate) == ops::Structure::diagonal;
  return gate.controls + (is_diagonal ? 1 : 2) * gate.targets().size();
}

Question amplitude_network(const Circuit& circuit) {
  Builder builder(circuit);
  for (Wire wire = 0; wire < circuit.num_wires(); ++wire) builder.start(wire);
  for (std::uint32_t i = 0; i < circuit.body().size(); ++i) {
    const Instruction gate = circuit.body()[i];
    if (is_gate(gate.op) && !gate.wires.empty()) builder.gate(i, false);
  }
  for (Wire wire = 0; wire < circuit.num_wires(); ++wire) builder.close(wire);
  return builder.take();
}

Question expectation_network(const Circuit& circuit, const PauliTerm& term) {
  std::vector<Interest> interests(circuit.num_wires(), Interest::none);
  add_interest(term, interests);
  std::vector<std::uint32_t> gates;
  for (const Register& part : light_cone(circuit, interests))
    gates.insert(gates.end(), part.gates.begin(), part.gates.end());
  std::ranges::sort(gates);
  Builder builder(circuit);
  for (const std::uint32_t gate : gates) builder.gate(gate, false);
  // What the bra's wires end on: the ket's ends before a Pauli, if it is not diagonal.
  for (Wire wire = 0; wire < circuit.num_wires(); ++wire) {
    const char letter = letter_of(term, wire);
    if (letter == 'I') continue;
    if (builder.is_started(wire))
      builder.pauli(wire, letter);
    else if (letter != 'Z')
      return {.network = {}, .sources = {}, .factor = 0.0};  // <0|X|0>
  }
  const std::vector<Index> ket = builder.ends();
  builder.restart();
  for (const std::uint32_t gate : gates) builder.gate(gate, true);
  builder.join(ket);
  return builder.take();
}

std::vector<Complex> leaf_values(const Circuit& circuit, const LeafSource& source, std::string_view bits) {
  const Complex i(0, 1);
  switch (source.kind) {
    case LeafSource::Kind::zero:
      return {1.0, 0.0};
    case LeafSource::Kind::bit:
      return bits[bits.size() - 1 - source.number] == '1' ? std::vector<Complex>{0.0, 1.0}
                                                          : std::vector<Complex>{1.0, 0.0};
    case LeafSource::Kind::gate:
      return gate_values(circuit, source);
    case LeafSource::Kind::pauli:
      if (source.letter == 'Z') return {1.0, -1.0};
      // Axis 0 is the ket's side: element in + 2 out.
      return source.letter == 'X' ? std::vector<Complex>{0.0, 1.0, 1.0, 0.0} : std::vector<Complex>{0.0, -i, i, 0.0};
  }
  return {};
}

Complex global_phase(const Circuit& circuit) {
  Complex out = 1.0;
  for (std::uint32_t i = 0; i < circuit.body().size(); ++i) {
    const Instruction gate = circuit.body()[i];
    if (is_gate(gate.op) && gate.wires.empty())
      out *= gate_values(circuit, {.kind = LeafSource::Kind::gate, .number = i})[0];
  }
  return out;
}

}  // namespace skerry::sim
