/// \file
/// A circuit in pieces: ordinary circuits that run anywhere, and the links that put their answers together again.
///
/// A link joins one wire of one piece, its port, with one of another. For amplitudes of the pieces A and B it says
///
///     psi[x, y] = sum over i, j of weights[2 i + j] A[x, port = i] B[y, port = j],
///
/// so a circuit in pieces is a tensor network of bonds of dimension 2. A wire that is cut (Peng, Harrow, Ozols & Wu
/// 2020, arXiv:1904.00102) ends as a port; the other piece takes it up from one half of a Bell pair, whose other half
/// is the port, and weights are sqrt(2) times the identity. A gate that is cut (Mitarai & Fujii 2021, arXiv:1909.07534)
/// is a sum of products: exp(-i theta/2 P x Q) = cos I x I - i sin P x Q, and with R = 1 - 2 |1..1><1..1| on controls
/// of one side, C(U) = (I x I + R x I + I x U - R x U) / 2. On each side a port in |+> chooses between the two factors.
/// Both papers run a variant of each piece for each term; here the port holds all variants of a piece in one run.
#pragma once

#include <array>
#include <complex>
#include <cstdint>
#include <skerry/circuit.hpp>
#include <utility>
#include <vector>

#include "edge/cut/cuts.hpp"

namespace skerry::edge::cut {

/// One wire of one piece.
struct Place {
  std::uint32_t piece = 0;
  Wire wire = 0;
  bool operator==(const Place&) const = default;
};

struct Link {
  enum class Kind : std::uint8_t { gate, wire };
  Kind kind = Kind::wire;
  Place a, b;
  std::array<std::complex<double>, 4> weights{};

  /// g[4 p + q] of <O> = sum over Pauli letters p, q (I X Y Z) of g <p x O_A> <q x O_B>: real, as |w><w| is Hermitian.
  std::array<double, 16> pauli_weights() const;
  /// How many more shots a device would need for the same error, on a device that ran each term by itself: 16 for a
  /// wire, (1 + 2 |sin theta|)^2 for a gate (9 for CX).
  double sampling_overhead = 1.0;
};

struct Pieces {
  std::vector<Circuit> circuits;
  std::vector<Link> links;
  std::vector<Place> outputs;  ///< of each wire of the straight circuit, at its end

  std::uint32_t gate_cuts() const noexcept;
  std::uint32_t wire_cuts() const noexcept;
  std::uint32_t widest() const noexcept;
  /// Products that an expectation value takes: of the links' Pauli pairs with a weight.
  double terms() const;
  double sampling_overhead() const noexcept;
};

/// Takes the circuit apart. Pieces that are joined by nothing are put together up to 12 wires, so that idle wires are
/// not a piece each. Precondition: the circuit is straight, its parameters are bound, the cuts are of it.
Pieces take_apart(const Circuit& straight, const Cuts& cuts);

}  // namespace skerry::edge::cut
