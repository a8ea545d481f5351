#include "sim/gradient/gate_tape.hpp"

#include <algorithm>
#include <bit>
#include <optional>
#include <skerry/error.hpp>
#include <string>
#include <string_view>

namespace skerry::sim {
namespace {

using Complex = std::complex<double>;
using Small = std::array<Complex, 16>;

constexpr std::uint32_t kNone = 0xffffffffU;
constexpr std::size_t kMaxWideTargets = 12;

/// a b without the NaN rules of std::complex.
Complex times(Complex a, Complex b) {
  return {a.real() * b.real() - a.imag() * b.imag(), a.real() * b.imag() + a.imag() * b.real()};
}

/// Entry of a Pauli string at a row, in the only column where it is not zero.
struct PauliEntry {
  std::size_t column = 0;
  Complex value = 1.0;
};
PauliEntry pauli_entry(std::string_view letters, std::size_t row) {
  PauliEntry out{row};
  for (std::size_t t = 0; t < letters.size(); ++t) {
    const bool one = (row >> t & 1) != 0;
    if (letters[t] != 'Z') out.column ^= std::size_t{1} << t;
    if (letters[t] == 'Y') out.value = times(out.value, one ? Complex(0, 1) : Complex(0, -1));
    if (letters[t] == 'Z' && one) out.value = -out.value;
  }
  return out;
}

/// exp(-i angle/2 G) from cos and sin of half the angle.
void rotation(std::string_view generator, double cosine, double sine, std::span<Complex> out) {
  const std::size_t n = std::size_t{1} << generator.size();
  std::ranges::fill(out, 0.0);
  for (std::size_t r = 0; r < n; ++r) {
    const auto [column, value] = pauli_entry(generator, r);
    out[r * n + r] += cosine;
    out[r * n + column] += Complex(sine * value.imag(), -sine * value.real());
  }
}

[[noreturn]] void refuse(const Instruction& instruction, std::size_t index) {
  throw Error(
      ErrorCode::unsupported,
      "'" + std::string(op_name(instruction.op)) + "' (instruction " + std::to_string(index) + ") has no derivative",
      "gradient", "a circuit with gradients has gates alone; take measurements and control flow out");
}

std::array<double, 3> member_params(const TapeMember& member, std::span<const double> slots) {
  std::array<double, 3> params{};
  for (std::size_t i = 0; i < member.parameters; ++i)
    params[i] = member.sources[i].slot == kNoExpr ? member.sources[i].constant : slots[member.sources[i].slot];
  return params;
}

/// Gates gathered into nodes, before they are ordered.
class Joiner {
 public:
  Joiner(const Circuit& circuit, GateTape& tape) : circuit_(circuit), tape_(tape), last_(circuit.num_wires(), kNone) {
    const auto base = static_cast<std::uint32_t>(tape.layout.is_batch ? tape.layout.lane_bits : 0);
    for (Wire wire = 0; wire < circuit.num_wires(); ++wire) tape.positions.push_back(base + wire);
  }

  void run(std::span<const TapeMember> members) {
    std::size_t next = 0;
    for (std::size_t i = 0; i < circuit_.body().size(); ++i) {
      const Instruction instruction = circuit_.body()[i];
      if (is_gate(instruction.op)) gate(instruction, members[next++]);
    }
    // Members of a node lie side by side.
    for (Draft& draft : drafts_) {
      draft.node.first_member = static_cast<std::uint32_t>(tape_.members.size());
      draft.node.member_count = static_cast<std::uint32_t>(draft.members.size());
      for (const TapeMember& member : draft.members) tape_.members.push_back(member);
      tape_.nodes.push_back(std::move(draft.node));
    }
  }

 private:
  struct Draft {
    TapeNode node;
    std::vector<TapeMember> members;
  };

  void gate(const Instruction& instruction, const TapeMember& member) {
    if (instruction.op == Op::swap && instruction.controls == 0) {
      std::swap(tape_.positions[instruction.wires[0]], tape_.positions[instruction.wires[1]]);
      std::swap(last_[instruction.wires[0]], last_[instruction.wires[1]]);
      return;
    }
    const bool joins = instruction.controls == 0 && instruction.targets().size() == 1;
    if (joins && last_[instruction.wires[0]] != kNone) {
      Draft& before = drafts_[last_[instruction.wires[0]]];
      if (before.node.targets.size() == 1 && before.node.controls == 0) {
        before.members.push_back(member);
        return;
      }
    }
    Draft draft;
    for (const Wire wire : instruction.targets()) draft.node.targets.push_back(static_cast<int>(tape_.positions[wire]));
    for (const Wire wire : instruction.control_wires())
      draft.node.controls |= std::uint64_t{1} << tape_.positions[wire];
    draft.members.push_back(member);
    for (const Wire wire : instruction.wires) last_[wire] = static_cast<std::uint32_t>(drafts_.size());
    drafts_.push_back(std::move(draft));
  }

  const Circuit& circuit_;
  GateTape& tape_;
  std::vector<Draft> drafts_;
  std::vector<std::uint32_t> last_;  ///< node that touched each wire last
};

bool is_diagonal(const GateTape& tape, const TapeNode& node) {
  return std::ranges::all_of(
      std::span(tape.members).subspan(node.first_member, node.member_count), [](const TapeMember& member) {
        return member.record != nullptr &&
               (member.record->structure == ops::Structure::diagonal || member.record->op == Op::id);
      });
}

std::uint64_t target_mask(const TapeNode& node) {
  std::uint64_t mask = 0;
  for (const int target : node.targets) mask |= std::uint64_t{1} << target;
  return mask;
}

/// How the kernels are to do a node, within 2^wires amplitudes.
void shape_node(const GateTape& tape, TapeNode& node, int wires) {
  const int bits = tape.layout.lane_bits;
  kernels::LaneGate gate;
  const std::uint64_t low = (std::uint64_t{1} << bits) - 1;
  std::vector<int> slots;
  for (std::size_t t = 0; t < node.targets.size() && node.targets.size() <= 2; ++t) {
    const int target = node.targets[t];
    if (target >= bits) {
      node.slot_targets[static_cast<std::size_t>(gate.slots++)] = static_cast<std::uint8_t>(t);
      slots.push_back(target - bits);
    } else {
      node.move_targets[static_cast<std::size_t>(gate.moves)] = static_cast<std::uint8_t>(t);
      gate.move_bits[static_cast<std::size_t>(gate.moves++)] = static_cast<std::uint8_t>(target);
    }
  }
  const bool only_x = node.member_count == 1 && tape.members[node.first_member].record != nullptr &&
                      tape.members[node.first_member].record->op == Op::x;
  if (is_diagonal(tape, node))
    gate.action = kernels::LaneAction::diagonal;
  else if (only_x && gate.slots == 1 && (node.controls & low) == 0)
    gate.action = kernels::LaneAction::exchange;
  const int above = std::max(wires - bits, 0);
  const std::uint64_t inside = above >= 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << above) - 1;
  gate.groups = kernels::Groups(above, (node.controls >> bits) & inside, slots);
  node.controls_above = node.by_blocks ? (node.controls >> bits) & ~inside : 0;
  node.gate = std::move(gate);
}

/// Puts nodes that run by blocks side by side, as far as their wires let them pass the others.
void order_nodes(GateTape& tape) {
  std::vector<std::uint32_t> rest(tape.nodes.size());
  for (std::uint32_t i = 0; i < rest.size(); ++i) rest[i] = i;
  std::vector<TapeNode> ordered;
  // So that the coefficients of a segment stay few, and that looking ahead costs no square of the circuit's length.
  constexpr std::size_t kLongest = 64, kWindow = 1024;
  const auto pick = [&](bool by_blocks) {
    std::uint64_t blocked = 0;
    std::vector<std::uint32_t> left;
    const auto first = static_cast<std::uint32_t>(ordered.size());
    for (std::size_t i = 0; i < rest.size(); ++i) {
      TapeNode& node = tape.nodes[rest[i]];
      const std::uint64_t wires = target_mask(node) | node.controls;
      const bool full = i >= kWindow || ordered.size() - first >= kLongest;
      if (!full && node.by_blocks == by_blocks && (wires & blocked) == 0) {
        ordered.push_back(std::move(node));
        if (!by_blocks) tape.segments.push_back({static_cast<std::uint32_t>(ordered.size() - 1), 1, false});
        continue;
      }
      blocked |= wires;
      left.push_back(rest[i]);
      if (full) {
        left.insert(left.end(), rest.begin() + static_cast<std::ptrdiff_t>(i) + 1, rest.end());
        break;
      }
    }
    const auto count = static_cast<std::uint32_t>(ordered.size()) - first;
    if (by_blocks && count != 0) tape.segments.push_back({first, count, true});
    rest = std::move(left);
  };
  while (!rest.empty()) {
    pick(true);
    pick(false);
  }
  tape.nodes = std::move(ordered);
}

}  // namespace

TapeMembers tape_members(const Circuit& circuit, ParameterMap& map) {
  TapeMembers out;
  for (std::size_t i = 0; i < circuit.body().size(); ++i) {
    const Instruction instruction = circuit.body()[i];
    if (instruction.op == Op::barrier || instruction.op == Op::delay) continue;
    if (!is_gate(instruction.op)) refuse(instruction, i);
    TapeMember member;
    if (instruction.op == Op::unitary) {
      member.unitary = instruction.aux;
      if (instruction.targets().size() > kMaxWideTargets) refuse(instruction, i);
    } else {
      member.record = &ops::gate_record(instruction.op);
      member.parameters = static_cast<std::uint8_t>(gate_parameters(instruction.op));
      for (std::size_t p = 0; p < member.parameters; ++p) {
        const Param& param = instruction.params[p];
        member.sources[p].constant = param.value;
        if (param.is_constant()) continue;
        member.sources[p].slot = map.add_slot(param.expr);
        const ops::GateRecord& record = *member.record;
        out.spectra.push_back(instruction.controls == 0 ? record.spectra[p] : record.controlled_spectra[p]);
      }
    }
    out.members.push_back(member);
  }
  return out;
}

GateTape make_tape(const Circuit& circuit, std::span<const TapeMember> members, const TapeLayout& layout) {
  GateTape tape;
  tape.layout = layout;
  const int wires =
      std::max(static_cast<int>(circuit.num_wires()) + (layout.is_batch ? layout.lane_bits : 0), layout.lane_bits);
  tape.vector_wires = wires - layout.lane_bits;
  tape.layout.block_wires = std::min(std::max(layout.block_wires, layout.lane_bits), wires);
  Joiner(circuit, tape).run(members);
  for (TapeNode& node : tape.nodes) {
    node.is_wide = node.targets.size() > 2;
    node.by_blocks = !node.is_wide && (target_mask(node) >> tape.layout.block_wires) == 0;
    shape_node(tape, node, node.by_blocks ? tape.layout.block_wires : wires);
    for (std::uint32_t m = node.first_member; m < node.first_member + node.member_count; ++m) {
      tape.members[m].matrix = static_cast<std::uint32_t>(tape.matrix_entries);
      if (!node.is_wide) tape.matrix_entries += node.rows() * node.rows();
      for (std::size_t p = 0; p < tape.members[m].parameters; ++p)
        node.has_slots = node.has_slots || tape.members[m].sources[p].slot != kNoExpr;
    }
    node.matrix = tape.members[node.first_member].matrix;
    if (node.member_count > 1) {
      node.matrix = static_cast<std::uint32_t>(tape.matrix_entries);
      tape.matrix_entries += node.rows() * node.rows();
    }
  }
  order_nodes(tape);
  return tape;
}

void bind_tape(const Circuit& circuit, const GateTape& tape, std::span<const double> slots, const HalfAngles& halves,
               std::span<std::complex<double>> matrices) {
  for (const TapeNode& node : tape.nodes) {
    if (node.is_wide) continue;
    const std::size_t entries = node.rows() * node.rows();
    for (std::uint32_t m = node.first_member; m < node.first_member + node.member_count; ++m) {
      const TapeMember& member = tape.members[m];
      const std::span out = matrices.subspan(member.matrix, entries);
      if (member.record == nullptr) {
        std::ranges::copy(circuit.matrices()[member.unitary].values, out.begin());
        continue;
      }
      const std::uint32_t slot = member.sources[0].slot;
      if (!member.record->generator.empty() && slot != kNoExpr) {
        rotation(member.record->generator, halves.cosines[slot], halves.sines[slot], out);
        continue;
      }
      const auto params = member_params(member, slots);
      member.record->matrix(std::span(params).first(member.parameters), out);
    }
    if (node.member_count == 1) continue;
    // Joined nodes have one wire.
    std::array<Complex, 4> product = {1, 0, 0, 1};
    for (std::uint32_t m = node.first_member; m < node.first_member + node.member_count; ++m) {
      const Complex* g = matrices.data() + tape.members[m].matrix;
      product = {times(g[0], product[0]) + times(g[1], product[2]), times(g[0], product[1]) + times(g[1], product[3]),
                 times(g[2], product[0]) + times(g[3], product[2]), times(g[2], product[1]) + times(g[3], product[3])};
    }
    std::ranges::copy(product, matrices.begin() + node.matrix);
  }
}

void add_slot_derivatives(const GateTape& tape, const TapeNode& node, std::span<const double> slots,
                          std::span<const std::complex<double>> matrices, std::span<const std::complex<double>> moments,
                          std::span<double> out) {
  const std::size_t n = node.rows();
  Small at_output{};
  std::ranges::copy(moments.first(n * n), at_output.begin());
  for (std::uint32_t m = node.first_member + node.member_count; m-- > node.first_member;) {
    const TapeMember& member = tape.members[m];
    const std::span g = matrices.subspan(member.matrix, n * n);
    const bool rotates = member.record != nullptr && !member.record->generator.empty();
    if (rotates && member.sources[0].slot != kNoExpr) {
      // dG = -i/2 P G for the generator P, so that the moments at the output are all that is needed.
      double sum = 0;
      for (std::size_t r = 0; r < n; ++r) {
        const auto [column, value] = pauli_entry(member.record->generator, r);
        sum += times(value, at_output[r * n + column]).imag();
      }
      out[member.sources[0].slot] += sum;
    }
    if (rotates && m == node.first_member) break;
    // The ket before the gate, the bra still after it: sum of conj(bra[r]) (G^dagger ket)[c].
    Small half{}, before{};
    for (std::size_t r = 0; r < n; ++r)
      for (std::size_t c = 0; c < n; ++c)
        for (std::size_t k = 0; k < n; ++k) half[r * n + c] += times(at_output[r * n + k], std::conj(g[k * n + c]));
    const auto params = member_params(member, slots);
    for (std::size_t p = 0; p < member.parameters && !rotates; ++p) {
      if (member.sources[p].slot == kNoExpr) continue;
      Small derivative;
      ops::gate_derivative(*member.record, std::span(params).first(member.parameters), static_cast<int>(p),
                           std::span(derivative).first(n * n));
      double sum = 0;
      for (std::size_t i = 0; i < n * n; ++i)
        sum += derivative[i].real() * half[i].real() - derivative[i].imag() * half[i].imag();
      out[member.sources[p].slot] += 2 * sum;
    }
    if (m == node.first_member) break;
    for (std::size_t r = 0; r < n; ++r)
      for (std::size_t c = 0; c < n; ++c)
        for (std::size_t k = 0; k < n; ++k) before[r * n + c] += times(g[k * n + r], half[k * n + c]);
    at_output = before;
  }
}

}  // namespace skerry::sim
