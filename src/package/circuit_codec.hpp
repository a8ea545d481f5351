/// \file
/// Circuits as FlatBuffers (schema/circuit.fbs).
#pragma once

#include <package_schema/circuit_generated.h>

#include <cstddef>
#include <skerry/circuit.hpp>
#include <span>
#include <vector>

#include "package/fields.hpp"
#include "package/program_builder.hpp"

namespace skerry::package {

inline constexpr const char* kCircuitIdentifier = "SKCI";

/// The circuit as a table. Errors: limit_exceeded.
flatbuffers::Offset<fbs::Circuit> encode_circuit(const Circuit& circuit, ProgramBuilder& builder);

/// The circuit of a verified table, not yet passed by ir::verify. Errors: corrupt, limit_exceeded; version_too_new for
/// a gate or expression that is not known; whatever the circuit's builder refuses.
Circuit decode_circuit(const fbs::Circuit& table, Fields& fields);

/// One byte per block: does the body lead to it? Others never run, ir::verify does not look at them, and so a package
/// holds them empty. Safe for circuits that were not verified.
std::vector<std::uint8_t> reachable_blocks(const Circuit& circuit);

}  // namespace skerry::package
