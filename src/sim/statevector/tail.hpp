/// \file
/// The end of a trajectory: measurements and classical computation on a drawn basis state.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "sim/statevector/classical.hpp"
#include "sim/statevector/request.hpp"

namespace skerry::sim {

/// Runs the tail of a program from one classical state for any basis state. From any thread.
class Tail {
 public:
  /// All must outlive this. pc: where the tail is entered.
  Tail(const Request& request, const ClassicalUnit& unit, const Classical& entry, std::uint32_t pc,
       const RunControl& control);

  /// The outcome of a shot whose wires were found in `basis`; out: zeroed words of outcome_bits.
  void outcome(std::uint64_t basis, std::span<std::uint64_t> out) const;
  /// The classical values after the tail.
  Classical values(std::uint64_t basis) const;

 private:
  const Request& request_;
  const ClassicalUnit& unit_;
  const Classical& entry_;
  std::uint32_t pc_;
  const RunControl& control_;
  std::vector<std::uint64_t> entry_words_;  // the bits on entry that the tail does not write
  bool bits_are_wires_ = false;  // the tail measures wire 0 into bit 0, 1 into 1, …, and there are no others
};

}  // namespace skerry::sim
