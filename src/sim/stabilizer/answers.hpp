/// \file
/// Exact answers of a stabilizer state: Pauli sums and distributions.
#pragma once

#include <skerry/observable.hpp>
#include <span>

#include "sim/stabilizer/tableau.hpp"

namespace skerry::sim {

/// <O>; positions[w]: place of wire w in the tableau, or kIdle for one that stays in |0>.
double expectation(const Tableau& tableau, const Observable& observable, std::span<const std::uint32_t> positions);

/// Adds weight * probability of each outcome of `wires` (wires[0] least significant) to out, of 2^|wires| entries.
void add_distribution(const Tableau& tableau, std::span<const std::uint32_t> wires,
                      std::span<const std::uint32_t> positions, double weight, std::span<double> out);

}  // namespace skerry::sim
