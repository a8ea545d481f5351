/// \file
/// Where a circuit is cut so that its pieces are small: gates and wires found by a search over the circuit's time.
#pragma once

#include <cstdint>
#include <skerry/circuit.hpp>
#include <utility>
#include <vector>

#include "base/expected.hpp"

namespace skerry::edge::cut {

/// A circuit of gates alone, as cutting wants it: no measurements, barriers and swaps, and each gate on two wires one
/// that can be cut (with a control, or exp(-i theta/2 P x Q)) where its parameters are numbers.
struct Straight {
  Circuit circuit;
  std::vector<Wire> place;                               ///< where each wire of the original is at the end
  std::vector<std::pair<Wire, std::uint32_t>> measured;  ///< wire of the original and the bit that it is measured into
};
/// The reason when there are resets, measurements midway or control flow.
Expected<Straight> straighten(const Circuit& circuit);

/// Cuts of a straight circuit. A gate that is cut acts on two pieces; a wire that is cut goes on in another piece from
/// the instruction on.
struct Cuts {
  std::vector<std::size_t> gates;
  std::vector<std::pair<std::size_t, Wire>> wires;
  std::size_t size() const noexcept { return gates.size() + wires.size(); }
};

/// Can this gate be written as a sum of products over `side` and its other wires?
bool is_cuttable(const Instruction& gate, const std::vector<Wire>& side);

/// Few cuts so that no piece has more than max_wires wires, those included that cutting adds: one on each side of a
/// gate, one behind a wire. A beam over the instructions in order; for each number of cuts the states with the
/// narrowest pieces survive. O(instructions * max_cuts * wires) times the beam's width, which shrinks for long
/// circuits. The reason when there is no way with max_cuts.
Expected<Cuts> find_cuts(const Circuit& straight, std::uint32_t max_wires, std::uint32_t max_cuts);

}  // namespace skerry::edge::cut
