/// \file
/// Where a run stood, as bytes that another process goes on from: bound to its circuit, and refused when damaged.
#pragma once

#include <cstdint>
#include <skerry/checkpoint.hpp>
#include <span>
#include <string>
#include <string_view>

namespace skerry::package {

/// SHA-256, in hex digits, of the bytes of a program and of the values of its parameters, in order: equal where runs go
/// the same way.
std::string way_of(std::string_view program, std::span<const double> parameters);

/// Format's name and version, the SHA-256 of all that follows, `name value` lines (way, gates, wires, precision), an
/// empty line, and the amplitudes as byte planes in one zstd frame. The state is a c64 or c128 of 2^n amplitudes.
std::string encode(const Checkpoint& checkpoint, std::string_view way);

/// max_bytes: of the amplitudes, looked at before anything is unpacked. Errors: corrupt; version_too_new;
/// limit_exceeded; invalid_argument for a checkpoint of another way.
Checkpoint decode_checkpoint(std::string_view bytes, std::string_view way, std::uint64_t max_bytes);

}  // namespace skerry::package
