/// \file
/// A QIR module becomes a circuit by being run: what is constant is computed, what a measurement decides becomes
/// expressions, variables and branches.
#pragma once

#include <skerry/circuit.hpp>
#include <skerry/limits.hpp>
#include <string>
#include <string_view>

#include "frontend/qir/module.hpp"

namespace skerry::frontend::qir {

/// Result i is bit i of the register `c`, qubit i wire i of `q`; recorded numbers are outputs. Calls are written out,
/// loops whose end is known too.
/// Errors: semantic_error, unsupported (unknown functions; loops that a measurement ends), out_of_range for a qubit or
/// result that the entry point does not declare, limit_exceeded (max_qubits, max_bits, max_instructions, max_nesting);
/// all with name:line:column.
Circuit lower(const Module& module, std::string_view text, const ImportLimits& limits, const std::string& name);

}  // namespace skerry::frontend::qir
