/// \file
/// A run that is stopped between two gates, and how it goes on: in this process or in another one.
#pragma once

#include <cstdint>
#include <skerry/circuit.hpp>
#include <skerry/error.hpp>
#include <skerry/tensor.hpp>
#include <utility>

namespace skerry {

/// Where a run stood. With it in RunOptions::resume the same circuit, asked the same, goes on from there.
struct Checkpoint {
  std::uint64_t gates = 0;  ///< of the circuit's own, in their order, that the state has behind it
  /// c64 or c128 [2^n] of the wires that gates touch, in their order, or of all wires; the lowest least significant.
  Tensor state;
};

/// What Limits::leave asked for: the run ended between two gates, and this is what it leaves behind. Code:
/// deadline_exceeded.
class Interrupted : public Error {
 public:
  Interrupted(Circuit circuit, Checkpoint checkpoint)
      : Error(ErrorCode::deadline_exceeded,
              "stopped after " + std::to_string(checkpoint.gates) + " gates of the circuit", "simulation"),
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
