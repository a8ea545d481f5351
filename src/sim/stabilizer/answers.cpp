#include "sim/stabilizer/answers.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <vector>

#include "sim/state/masks.hpp"

namespace skerry::sim {
namespace {

/// Moves the bits of a string to the simulated wires; false if one stood on an idle wire.
bool move_bits(std::span<const std::uint64_t> from, std::span<const std::uint32_t> positions,
               std::span<std::uint64_t> to) {
  bool all = true;
  std::ranges::fill(to, 0);
  for (std::size_t word = 0; word < from.size(); ++word) {
    for (std::uint64_t rest = from[word]; rest != 0; rest &= rest - 1) {
      const std::uint32_t position = positions[64 * word + static_cast<std::size_t>(std::countr_zero(rest))];
      if (position == kIdle)
        all = false;
      else
        to[position / 64] |= std::uint64_t{1} << (position % 64);
    }
  }
  return all;
}

}  // namespace

double expectation(const Tableau& tableau, const Observable& observable, std::span<const std::uint32_t> positions) {
  const std::size_t words = (std::size_t{tableau.wires()} + 63) / 64;
  std::vector<std::uint64_t> x(words), z(words);
  double sum = 0.0;
  for (const PauliTerm& term : observable.terms()) {
    // An idle wire is in |0>: X and Y have expectation 0 there, Z has 1.
    if (!move_bits(term.x, positions, x)) continue;
    move_bits(term.z, positions, z);
    sum += term.coefficient * tableau.expectation(x, z);
  }
  return sum;
}

void add_distribution(const Tableau& tableau, std::span<const std::uint32_t> wires,
                      std::span<const std::uint32_t> positions, double weight, std::span<double> out) {
  std::vector<std::uint32_t> simulated;
  std::vector<std::size_t> places;
  for (std::size_t i = 0; i < wires.size(); ++i) {
    if (positions[wires[i]] == kIdle) continue;
    simulated.push_back(positions[wires[i]]);
    places.push_back(i);
  }
  const Tableau::Outcomes outcomes = tableau.outcomes(simulated);
  const double share = weight * std::ldexp(1.0, -static_cast<int>(outcomes.coins));
  for (std::uint64_t coins = 0; coins < std::uint64_t{1} << outcomes.coins; ++coins) {
    std::size_t index = 0;
    for (std::size_t i = 0; i < simulated.size(); ++i) {
      const auto parity = static_cast<std::uint64_t>(std::popcount(outcomes.masks[i] & coins) & 1);
      index |= static_cast<std::size_t>((outcomes.base >> i & 1) ^ parity) << places[i];
    }
    out[index] += share;
  }
}

}  // namespace skerry::sim
