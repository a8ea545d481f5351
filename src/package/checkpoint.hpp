/// \file
/// Where a run stood, as bytes that another process goes on from: bound to its circuit, and refused when damaged.
#pragma once

#include <cstdint>
#include <skerry/checkpoint.hpp>
#include <span>
#include <string>
#include <string_view>

namespace skerry::package {

/// SHA-256, in hex digits, of the bytes of a program, of the values of its parameters in order, and of each
/// observable's text and a line feed: equal where runs go the same way and gather the same.
std::string way_of(std::string_view program, std::span<const double> parameters,
                   std::span<const std::string> observables);

/// Format's name and version, the SHA-256 of all that follows, `name value` lines (way, method, gates, shots, and a
/// `part` with dtype and extents for each), an empty line, and the parts as byte planes in one zstd frame.
/// Errors: unsupported for more than 16 parts, or one of elements that are not whole bytes.
std::string encode(const Checkpoint& checkpoint, std::string_view way);

/// max_bytes: of the parts, looked at before anything is unpacked. What the parts mean is looked at by the method that
/// goes on from them. Errors: corrupt; version_too_new; limit_exceeded; invalid_argument for a checkpoint of another
/// way.
Checkpoint decode_checkpoint(std::string_view bytes, std::string_view way, std::uint64_t max_bytes);

}  // namespace skerry::package
