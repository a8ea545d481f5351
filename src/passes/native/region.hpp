/// \file
/// A connected part of a device, small enough for strings of 64 wires.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "passes/native/route.hpp"

namespace skerry::passes::native {

/// The part of a device that a network works on: device wires, and among them who is near whom.
struct Region {
  std::vector<Wire> wires;                    ///< of the device, first those of the program in its order
  std::vector<std::vector<Wire>> neighbours;  ///< indices of `wires`
  std::vector<std::uint8_t> distance;         ///< wires^2, inside the region
};

/// The region of a layout, spare wires added until it is connected. Empty above 64 wires.
std::optional<Region> connected_region(const Coupling& coupling, std::span<const Wire> layout);

}  // namespace skerry::passes::native
