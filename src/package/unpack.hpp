/// \file
/// A packed section made plain again, within what it says about itself. Apart from compress.hpp so that a program that
/// only reads carries no compressor.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/memory.hpp"
#include "package/planes.hpp"

namespace skerry::package {

/// Exactly `bytes` bytes. regions: ascending, inside the section, bytes a multiple of width.
/// Errors: corrupt for a frame that is damaged, of another size, or that claims more than its bytes can hold;
/// budget_exceeded by the system.
base::Buffer unpack(std::span<const std::byte> stored, std::uint64_t bytes, std::span<const PlaneRegion> regions);

}  // namespace skerry::package
