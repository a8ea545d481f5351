/// \file
/// What a program of Clifford gates makes of Pauli operators, on any number of wires.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "passes/native/flat.hpp"

namespace skerry::passes::native {

/// i^phase X^x Z^z, 64 wires to a word.
struct PauliRow {
  std::vector<std::uint64_t> x, z;
  std::uint8_t phase = 0;
  bool operator==(const PauliRow&) const = default;
};

/// C^dagger X_w C and C^dagger Z_w C of every wire w. Bytes: wires^2 / 2.
struct CliffordRows {
  std::vector<PauliRow> x, z;
};

/// Empty where a gate is no Clifford to 1e-11, for what is no gate, and above 8192 wires. O(gates wires / 64). Source:
/// Aaronson & Gottesman, quant-ph/0406196.
std::optional<CliffordRows> clifford_rows(const Flat& flat);

/// X (Z) on one wire of so many.
PauliRow pauli_x_row(std::uint32_t wires, Wire wire);
PauliRow pauli_z_row(std::uint32_t wires, Wire wire);

}  // namespace skerry::passes::native
