/// \file
/// What a circuit costs on an error-corrected machine: its T gates, and the physical qubits that they need.
#pragma once

#include <cstdint>
#include <skerry/circuit.hpp>

namespace skerry {

/// The circuit in Clifford gates and phases, Toffoli gates as seven T, phases about one Pauli string added wherever
/// they stand; the meaning is kept, global phase included. Gates that are neither (u, a phase on four wires) stay as
/// they are. Source: Zhang & Chen, arXiv:1903.12456; Amy, Maslov, Mosca, arXiv:1303.2042.
Circuit write_clifford_t(const Circuit& circuit);

/// Gates of a circuit by what they cost where Clifford gates are cheap. Bodies of control flow count once.
struct NonClifford {
  std::uint64_t t = 0;          ///< turns by odd multiples of pi/4, seven for a Toffoli, Fredkin or ccz gate
  std::uint64_t rotations = 0;  ///< turns by other or symbolic angles; gates of no such form count three
};
NonClifford count_non_clifford(const Circuit& circuit);

struct SurfaceCodeOptions {
  double physical_error = 1e-3;  ///< of one physical gate; below 0.01, where the code begins to help
  double cycle_seconds = 1e-6;   ///< of one round of measuring all stabilizers
  double error_budget = 1e-2;    ///< chance that the whole run fails
};

struct SurfaceCode {
  unsigned distance = 0;
  std::uint64_t t_states = 0;  ///< for T gates and for rotations, 3 log2(1/e) each
  std::uint64_t tiles = 0;     ///< patches of the code: data, routing, one factory
  std::uint64_t physical_qubits = 0;
  double seconds = 0.0;
  double error = 0.0;  ///< chance of failure that this leaves, at most the budget
};

/// A fast block of 2 n + sqrt(8 n) + 1 tiles takes one T state at a time from one 15-to-1 factory, or from a two-level
/// one where its states are too bad; a logical qubit fails in one cycle with chance 0.1 (100 p)^((d+1)/2). The least
/// odd distance that fits the budget. Source: Litinski, arXiv:1808.02892; Fowler & Gidney, arXiv:1808.06709; Ross &
/// Selinger, arXiv:1403.2975. Errors: invalid_argument for figures outside their range, limit_exceeded where no
/// distance up to 101 is enough.
SurfaceCode estimate_surface_code(const Circuit& circuit, const SurfaceCodeOptions& options = {});

}  // namespace skerry
