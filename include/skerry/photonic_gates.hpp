/// \file
/// The gates of a circuit over modes as a differentiable photonic circuit.
#pragma once

#include <skerry/circuit.hpp>
#include <skerry/photonic.hpp>

namespace skerry::photonic {

/// The gates on the vacuum, parameter k as weight k: FockSimulator gives values and gradients. Measurements at the end
/// and cutoffs are left out.
/// Errors: unsupported for angles that are not scale * parameter + number, for what is measured before the end,
/// selected or prepared (but for vacua at the start), and for circuits of qubits.
Circuit gates_of(const skerry::Circuit& circuit);

}  // namespace skerry::photonic
