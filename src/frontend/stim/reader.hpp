/// \file
/// The text of stim circuits becomes a StabilizerCircuit, repetitions written out.
#pragma once

#include <skerry/limits.hpp>
#include <skerry/stabilizer_circuit.hpp>
#include <string>
#include <string_view>

namespace skerry::frontend::stim {

/// True if the first word of the text is an instruction of the format.
bool looks_like_stim(std::string_view text);

/// Reads a circuit. Coordinates, ticks and tags are left out; every other instruction is honoured or refused.
/// Errors: syntax_error, semantic_error, unsupported and limit_exceeded (max_text_bytes, max_instructions, max_nesting,
/// max_qubits; max_bits of measurements, of detectors, of observables), all with name:line:column.
/// Source: the stim circuit file format, version 1.
StabilizerCircuit read_stim(std::string_view text, const ImportLimits& limits, const std::string& name);

}  // namespace skerry::frontend::stim
