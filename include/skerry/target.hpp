/// \file
/// What a circuit is compiled for: which gates a device has, between which wires, how long they take, how often they
/// fail.
#pragma once

#include <cstdint>
#include <map>
#include <skerry/circuit.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace skerry {

/// Duration and error of one gate: a value for all wires, and those that differ.
struct GateFigures {
  double duration_seconds = 0.0;
  double error = 0.0;  ///< probability that the gate does something else
  std::map<std::vector<Wire>, double> durations_seconds, errors;
};

/// A device. The default is one where every pair of wires may meet, in the basis rz, sx, x, cx.
struct Target {
  std::string name;
  std::uint32_t qubits = 0;  ///< 0: as many as the circuit has
  bool all_to_all = true;    ///< no coupling map
  bool directed = false;     ///< a pair of `coupling` is control, target; else both ways
  std::vector<std::pair<Wire, Wire>> coupling;
  std::vector<std::string> basis = {"rz", "sx", "x", "cx"};
  std::map<std::string, GateFigures> gates;    ///< by spelling; measure and reset too
  std::vector<double> t1_seconds, t2_seconds;  ///< per wire, empty: unknown

  /// Of a gate on these wires; 0 where nothing is known. A pair that is not listed is looked for the other way round.
  double duration_seconds(std::string_view gate, const std::vector<Wire>& wires) const;
  double error(std::string_view gate, const std::vector<Wire>& wires) const;
};

}  // namespace skerry
