/// \file
/// A circuit of gates as a list that is walked forward and back: gates on one wire joined, swaps turned into names,
/// neighbours that stay within a block of amplitudes put side by side.
///
/// A node of the tape has *members*, the gates that were joined. Its moments T[r][c] = sum of conj(bra[r]) ket[c] over
/// the groups of amplitudes are all that a derivative by any parameter of any member needs, so that a run of rotations
/// on a wire costs one pass, not one for each parameter.
#pragma once

#include <array>
#include <complex>
#include <cstdint>
#include <skerry/circuit.hpp>
#include <span>
#include <vector>

#include "kernels/lanes/lanes.hpp"
#include "ops/qubit/gate_record.hpp"
#include "sim/gradient/parameter_map.hpp"

namespace skerry::sim {

/// One gate instruction.
struct TapeMember {
  struct Source {
    double constant = 0.0;
    std::uint32_t slot = kNoExpr;  ///< of the ParameterMap; kNoExpr: the constant
  };
  const ops::GateRecord* record = nullptr;  ///< null: a unitary of the circuit
  std::uint32_t unitary = 0;
  std::uint8_t parameters = 0;
  std::array<Source, 3> sources;
  std::uint32_t matrix = 0;  ///< first entry in BoundTape's matrices
};

struct TapeNode {
  kernels::LaneGate gate;
  std::vector<int> targets;          ///< bits of the amplitude's index, lanes included
  std::uint64_t controls = 0;        ///< likewise
  std::uint64_t controls_above = 0;  ///< bits of the block's number that must be 1, where it runs by blocks
  bool by_blocks = false;            ///< all it mixes lies within a block, for which `gate` is then made
  bool is_wide = false;              ///< takes kernels::lane_apply_wide
  bool has_slots = false;
  std::array<std::uint8_t, 2> slot_targets{}, move_targets{};  ///< which target a slot or a move is
  std::uint32_t first_member = 0, member_count = 0;
  std::uint32_t matrix = 0;  ///< first entry of the product of the members
  std::size_t rows() const noexcept { return std::size_t{1} << targets.size(); }
};

/// Nodes [first, first + count) that all run by blocks, or one that does not.
struct TapeSegment {
  std::uint32_t first = 0, count = 0;
  bool by_blocks = false;
};

/// How amplitudes lie: see kernels/lanes/lanes.hpp.
struct TapeLayout {
  int lane_bits = 0;
  bool is_batch = false;
  int block_wires = 0;  ///< bits of an index within a block, lanes included; at least all of a batch
};

struct GateTape {
  TapeLayout layout;
  int vector_wires = 0;
  std::vector<std::uint32_t> positions;  ///< bit of the index that each wire has at the end
  std::vector<TapeNode> nodes;
  std::vector<TapeMember> members;
  std::vector<TapeSegment> segments;
  std::size_t matrix_entries = 0;

  std::size_t block_vectors() const noexcept { return std::size_t{1} << (layout.block_wires - layout.lane_bits); }
};

/// The gates of a circuit, and how values depend on each slot.
struct TapeMembers {
  std::vector<TapeMember> members;
  std::vector<ops::Spectrum> spectra;  ///< of each slot
};
/// Slots in order of instructions and their parameters are declared to `map`.
/// Errors: unsupported for an instruction that is no gate.
TapeMembers tape_members(const Circuit& circuit, ParameterMap& map);

/// Precondition: members are those of the circuit.
GateTape make_tape(const Circuit& circuit, std::span<const TapeMember> members, const TapeLayout& layout);

/// cos and sin of half of each slot.
struct HalfAngles {
  std::span<const double> cosines, sines;
};

/// Matrices of one set of slots: of each member and of each node.
void bind_tape(const Circuit& circuit, const GateTape& tape, std::span<const double> slots, const HalfAngles& halves,
               std::span<std::complex<double>> matrices);

/// out[slot] += 2 Re of <bra| dU/d slot ... |ket> for the slots of a node, from its moments [row][column] at its
/// output.
void add_slot_derivatives(const GateTape& tape, const TapeNode& node, std::span<const double> slots,
                          std::span<const std::complex<double>> matrices, std::span<const std::complex<double>> moments,
                          std::span<double> out);

}  // namespace skerry::sim
