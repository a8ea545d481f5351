/// \file
/// Circuits as OpenQASM.
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

}  // namespace skerry::emit
