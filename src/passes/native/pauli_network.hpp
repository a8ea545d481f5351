/// \file
/// Circuits for Pauli rotations and Cliffords with few CX, where every pair of wires may meet.
#pragma once

#include <cstdint>
#include <vector>

#include "passes/native/flat.hpp"
#include "passes/native/pauli_program.hpp"

namespace skerry::passes::native {

/// How the greedy choice weighs what comes later.
struct PauliStyle {
  double discount = 0.5;   ///< weight of each layer of rotations against the one before
  double rows = 0.02;      ///< weight of the final Clifford
  std::uint64_t seed = 0;  ///< breaks ties
};

/// Rotations that nothing holds back are brought to one wire by controlled Paulis, each chosen as the one that lowers
/// the weights of the next layers most; the final Clifford likewise. Wires come out renamed: `places` says where each
/// is. measured: wires of which only the Z outcome is looked at afterwards, one byte each, so that the Clifford need
/// not be right beyond that. Up to a constant global phase. Source: de Brugiere & Martiel (Rustiq), arXiv:2404.03280;
/// Schmitz et al., arXiv:2103.08602; Bravyi et al., arXiv:2105.02291 (Clifford).
Flat pauli_network(const PauliProgram& program, const std::vector<std::uint8_t>& measured, const PauliStyle& style);

}  // namespace skerry::passes::native
