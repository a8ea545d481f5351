/// \file
/// A section packed by zstd, numbers as byte planes first.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "package/planes.hpp"

namespace skerry::package {

/// A run of a section to be written: bytes somebody else owns, numbers of `width` bytes.
struct Piece {
  std::span<const std::byte> bytes;
  std::size_t width = 1;
};

/// Where the pieces with a width lie in their section.
std::vector<PlaneRegion> plane_regions(std::span<const Piece> pieces);

/// One zstd frame of the pieces, one after the other. Takes the compressed size and a megabyte. level: 1 to 19.
/// Errors: invalid_argument (level).
std::vector<std::byte> compress(std::span<const Piece> pieces, int level);

}  // namespace skerry::package
