/// \file
/// A tableau, and what was measured of it, as a checkpoint keeps them.
#pragma once

#include <cstdint>
#include <skerry/checkpoint.hpp>
#include <span>

#include "sim/stabilizer/tableau.hpp"

namespace skerry::sim {

/// Parts: u64 [2n, 2w], w = ceil(n / 64), the rows x_0, z_0, x_1, … of n wires, w words of X then w of Z; u8 [2n],
/// their signs; u8 [m], the outcomes so far.
Checkpoint carried(const Tableau& tableau, std::uint64_t gates, std::span<const std::uint8_t> found);

/// Sets the tableau; gives the outcomes. found: how many there must be. Errors: invalid_argument for parts of another
/// size, rows that do not commute as those of a state do, and what is no sign and no outcome.
std::span<const std::uint8_t> take_up(const Checkpoint& from, Tableau& tableau, std::uint64_t found);

}  // namespace skerry::sim
