/// \file
/// A run that is stopped between two gates, and how it goes on: in this process or in another one.
#pragma once

#include <cstdint>
#include <skerry/circuit.hpp>
#include <skerry/error.hpp>
#include <skerry/tensor.hpp>
#include <string>
#include <utility>
#include <vector>

namespace skerry {

/// Where a run stood. With it in RunOptions::resume the same circuit, asked the same, goes on from there.
struct Checkpoint {
  std::string method;              ///< that left it, and the only one that goes on from it
  std::uint64_t gates = 0;         ///< steps of the circuit that are behind it
  std::uint64_t shots = 0;         ///< trajectories that are over, where each shot is one
  std::vector<Tensor> parts = {};  ///< what the method needs; docs/server.md lists them
  /// `256 gates`, `96 trajectories`.
  std::string text() const {
    return shots != 0 ? std::to_string(shots) + " trajectories" : std::to_string(gates) + " gates";
  }
};

/// What Limits::leave asked for: the run ended between two gates, and this is what it leaves behind. Code:
/// deadline_exceeded.
class Interrupted : public Error {
 public:
  Interrupted(Circuit circuit, Checkpoint checkpoint)
      : Error(ErrorCode::deadline_exceeded, "stopped after " + checkpoint.text() + " of the circuit", "simulation"),
        circuit_(std::move(circuit)),
        checkpoint_(std::move(checkpoint)) {}

  /// The circuit that was run: the one that was given, without gates that its answers do not depend on.
  const Circuit& circuit() const noexcept { return circuit_; }
  const Checkpoint& checkpoint() const noexcept { return checkpoint_; }

 private:
  Circuit circuit_;
  Checkpoint checkpoint_;
};

}  // namespace skerry
