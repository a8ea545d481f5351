/// \file
/// A circuit as rotations about Pauli strings and one Clifford after them.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <skerry/circuit.hpp>
#include <vector>

#include "passes/native/flat.hpp"

namespace skerry::passes::native {

/// i^phase X^x Z^z over at most 64 wires.
struct Pauli {
  std::uint64_t x = 0, z = 0;
  std::uint8_t phase = 0;

  /// Meant for Hermitian strings: true for minus a product of X, Y, Z.
  bool is_negative() const noexcept;
  bool commutes(const Pauli& other) const noexcept;
};
Pauli operator*(const Pauli& a, const Pauli& b) noexcept;

/// exp(-i angle/2 P), P without a sign.
struct PauliRotation {
  std::uint64_t x = 0, z = 0;
  Param angle;
};

/// The rotations in order of time, then the Clifford C, told by C^dagger X_w C and C^dagger Z_w C.
struct PauliProgram {
  std::uint32_t wires = 0;
  std::vector<PauliRotation> rotations;
  std::vector<Pauli> x_rows, z_rows;
};

/// Empty for more than 64 wires, for lists with anything but gates and swaps, and above `most` rotations. Equal strings
/// that only commuting ones separate are added, quarter turns go into the Clifford. The global phase is lost.
/// O(rotations^2). Source: Litinski, arXiv:1808.02892; Zhang & Chen, arXiv:1903.12456 (T count by merging).
std::optional<PauliProgram> pauli_program(const Flat& flat, ExprPool& pool, std::size_t most);

}  // namespace skerry::passes::native
