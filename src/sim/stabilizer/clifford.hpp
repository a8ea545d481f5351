/// \file
/// Which gates are Clifford gates: recognised by their matrices, written in the few that the simulators know.
#pragma once

#include <array>
#include <complex>
#include <cstdint>
#include <map>
#include <optional>
#include <skerry/circuit.hpp>
#include <skerry/stabilizer_circuit.hpp>
#include <span>
#include <string>
#include <tuple>
#include <vector>

#include "base/expected.hpp"

namespace skerry::sim {

/// A widest unitary that is looked at: 4^k products of 2^k x 2^k entries.
inline constexpr int kMaxCliffordWires = 5;

/// The gate as h, s, x, y, z, cx, cz and swap on wires 0 … wires - 1 (first in time first; equal up to a phase of the
/// whole), or nothing if it takes some Pauli string to what is none. matrix: 2^k x 2^k, row-major, wire 0 least
/// significant, k <= kMaxCliffordWires. Source: Aaronson, Gottesman, arXiv:quant-ph/0406196, section VI.
std::optional<std::vector<StabilizerStep>> clifford_steps(std::span<const std::complex<double>> matrix, int wires);

/// Turns the gates of a circuit into steps; equal gates are looked at once.
class CliffordLowering {
 public:
  explicit CliffordLowering(const Circuit& circuit) : circuit_(circuit) {}
  /// Appends the steps of a gate on positions[wire]; gives the reason if it is no Clifford gate.
  std::optional<std::string> append(const Instruction& instruction, std::span<const std::uint32_t> positions,
                                    std::vector<StabilizerStep>& out);

 private:
  struct Known {
    using Key = std::tuple<Op, std::uint16_t, std::uint32_t, std::array<double, 3>>;
    using Steps = std::optional<std::vector<StabilizerStep>>;
    std::map<Key, Steps> gates;
    std::array<const Steps*, 2 * std::size_t{kGateCount}> plain{};  ///< without angles, with no control and with one
  };
  Expected<const Known::Steps*> look_up(const Instruction& instruction);

  const Circuit& circuit_;
  Known known_;
};

}  // namespace skerry::sim
