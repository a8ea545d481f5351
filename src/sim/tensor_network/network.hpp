/// \file
/// A question about a circuit as a tensor network: small tensors, joined by indices of length 2, all of which are
/// summed.
///
/// An index belongs to as many tensors as it likes: a gate that is diagonal on a wire (a control, a phase, a Pauli Z)
/// takes the wire's index and makes no new one, a swap exchanges indices, so that only what mixes basis states makes
/// the network larger. Source: Boixo et al., arXiv:1712.05384; Gray, Kourtis, Quantum 5 (2021) 410.
#pragma once

#include <complex>
#include <cstdint>
#include <skerry/circuit.hpp>
#include <skerry/observable.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace skerry::sim {

using Index = std::uint32_t;

/// The joints alone: what a contraction path depends on. leaves[i]: indices of tensor i, each once; axis k of its
/// elements is bit k of their number.
struct Network {
  std::vector<std::vector<Index>> leaves;
  Index indices = 0;
  std::vector<std::uint32_t> along;  ///< the leaves by the lowest wire of each
  bool operator==(const Network&) const = default;
};

/// What a leaf is filled with.
struct LeafSource {
  enum class Kind : std::uint8_t { zero, bit, gate, pauli };
  Kind kind{};
  bool conjugate = false;
  char letter = 0;           ///< of a Pauli
  std::uint32_t number = 0;  ///< of the gate in the body, of the wire of a bit
};

struct Question {
  Network network;
  std::vector<LeafSource> sources;
  double factor = 1.0;  ///< of the value; 0: the network does not matter
};

/// Axes of a gate's tensor beyond which nobody has room for it.
inline constexpr std::size_t kMaxGateAxes = 20;
/// Of the tensor of a gate: targets twice unless it is diagonal, controls once.
std::size_t gate_axes(const Circuit& circuit, const Instruction& gate);

/// <bits| circuit |0…0>, the same network for all bits.
Question amplitude_network(const Circuit& circuit);
/// <0…0| circuit^dagger P circuit |0…0> without the coefficient, reduced to the gates in its light cone.
Question expectation_network(const Circuit& circuit, const PauliTerm& term);

/// Elements of a leaf. circuit: every parameter a number. bits: text of the basis state, the rightmost of wire 0.
/// Errors: invalid_argument for a parameter that is not finite.
std::vector<std::complex<double>> leaf_values(const Circuit& circuit, const LeafSource& source, std::string_view bits);
/// Product of the gates that act on no wire.
std::complex<double> global_phase(const Circuit& circuit);

}  // namespace skerry::sim
