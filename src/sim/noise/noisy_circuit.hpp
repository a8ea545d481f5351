/// \file
/// A circuit with its noise written into it: each channel stands as an instruction where it acts.
#pragma once

#include <complex>
#include <optional>
#include <skerry/circuit.hpp>
#include <skerry/noise.hpp>
#include <skerry/options.hpp>
#include <span>
#include <vector>

#include "base/expected.hpp"

namespace skerry::sim {

/// In `circuit` an id whose aux is not 0 is a site: channel aux - 1 acts on its wires, in order.
struct NoisyCircuit {
  Circuit circuit;
  std::vector<Channel> channels;
  std::vector<Confusion> readout;  ///< of each wire
  bool has_readout = false;        ///< some wire's is not the identity
};

inline bool is_site(const Instruction& instruction) {
  return instruction.op == Op::id && instruction.aux != 0;
}

/// Writes the noise into the circuit, whose own channels become sites as well. noise may be null. Errors:
/// invalid_argument for a rule whose gate does not exist or whose channel does not fit its gate.
NoisyCircuit attach(const Circuit& circuit, const NoiseModel* noise);

/// The matrix of a gate on all its wires, controls included as the most significant, for parameters already evaluated.
/// Gates of gates.def and unitary. Errors: invalid_argument for a parameter that is not finite.
Matrix full_matrix(const Circuit& circuit, const Instruction& instruction, std::span<const double> params);
/// The same on its targets alone.
Matrix target_matrix(const Circuit& circuit, const Instruction& instruction, std::span<const double> params);

/// A channel as unitaries with probabilities, if that is what it is: every K^dagger K is a multiple of the identity.
struct Mixture {
  std::vector<double> probabilities;
  std::vector<Matrix> unitaries;
};
std::optional<Mixture> as_mixture(const Channel& channel);

}  // namespace skerry::sim
