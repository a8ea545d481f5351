/// \file
/// Circuits as OpenQASM, those over modes as Blackbird.
#pragma once

#include <skerry/circuit.hpp>
#include <string>

namespace skerry::emit {

/// OpenQASM 2 with the gates that Qiskit adds to qelib1.inc (sx, p, rzz, ...); others are defined in the text.
///
/// Names that the language does not allow are changed. Global phases of the body are left out, for there is no word for
/// them. Errors: unsupported for symbolic angles, classical variables, else, while, conditions other than
/// `register == number`, and matrices.
std::string openqasm2(const Circuit& circuit);

/// OpenQASM 3.0 with stdgates.inc. Parameters become `input` declarations in order. Errors: unsupported for matrices
/// and for what reads bits across registers.
std::string openqasm3(const Circuit& circuit);

/// Blackbird 1.0 with Strawberry Fields' names of operations, ours where it has none (amplifier, cutoff). The frontend
/// reads it back. Errors: unsupported for qubits, assignments, and outcomes that are not their mode's last.
std::string blackbird(const Circuit& circuit);

}  // namespace skerry::emit
