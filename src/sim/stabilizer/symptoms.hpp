/// \file
/// Which bits each possible error of a stabilizer circuit flips.
#pragma once

#include <cstdint>
#include <skerry/stabilizer.hpp>
#include <vector>

#include "base/memory.hpp"

namespace skerry {

/// What a sampler draws from.
struct StabilizerSampler::Table {
  /// Places of one channel. Outcome j of site i flips symptoms [begin[first + i * size + j], begin[… + 1]).
  struct Group {
    PauliChannel channel;
    double probability = 0.0;  ///< that something happens at a site
    bool is_uniform = false;   ///< all outcomes equally likely
    std::size_t first = 0, sites = 0;
  };
  std::uint32_t bits = 0, observables = 0;
  std::vector<Group> groups;
  std::vector<std::uint64_t> begin;
  std::vector<std::uint32_t> symptoms;   ///< bit of a row
  std::vector<std::uint64_t> reference;  ///< a row without errors
  base::Reservation charge;

  std::size_t bit_words() const noexcept { return (std::size_t{bits} + 63) / 64; }
  std::size_t words() const noexcept { return bit_words() + (std::size_t{observables} + 63) / 64; }
  std::uint64_t bytes() const noexcept { return 8 * begin.size() + 4 * symptoms.size() + 8 * reference.size(); }
};

namespace sim {

/// bits_of[r]: the bits of a row that record r flips, ascending. Errors: see StabilizerSampler.
StabilizerSampler::Table find_symptoms(const StabilizerCircuit& circuit,
                                       std::vector<std::vector<std::uint32_t>> bits_of, const RunControl& control);

/// Records of a run without noise in which every coin falls on 0.
std::vector<std::uint8_t> reference_records(const StabilizerCircuit& circuit, const base::MemoryBudget& budget,
                                            const RunControl& control);

}  // namespace sim
}  // namespace skerry
