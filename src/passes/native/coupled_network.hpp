/// \file
/// Circuits for Pauli rotations and Cliffords whose CX lie on the edges of a device.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "passes/native/pauli_network.hpp"
#include "passes/native/region.hpp"

namespace skerry::passes::native {

/// When a network is given up.
struct CoupledLimits {
  std::size_t cx = 100'000;
  std::uint64_t work = 20'000'000;  ///< looks at trees
};

/// As pauli_network(), with CX on edges of the region only, which begins with the program's wires. Strings are weighed
/// by the CX that a tree over their wires takes; they are taken in from its leaves, wherever that shortens those that
/// follow, too. The result is on the region's wires; `places` says where each of them has come to, swaps need not be
/// undone. Empty beyond the limits. Source: the trees as in Kissinger & Meijer-van de Griend,
/// arXiv:1904.00633, and Vandaele et al., arXiv:2104.00934 (phase polynomials); the choice as in arXiv:2404.03280.
std::optional<Flat> coupled_network(const PauliProgram& program, const std::vector<std::uint8_t>& measured,
                                    const Region& region, const PauliStyle& style, const CoupledLimits& limits);

}  // namespace skerry::passes::native
