/// \file
/// Gates with any number of controls written as one-wire gates and CX.
#pragma once

#include <skerry/circuit.hpp>
#include <span>
#include <vector>

#include "passes/native/flat.hpp"

namespace skerry::passes::native {

/// Appends to a writer. Wires of one call are distinct.
class ControlledGates {
 public:
  ControlledGates(FlatWriter& writer, ExprPool& pool, std::uint32_t wires, bool last_first = false)
      : writer_(writer), pool_(pool), num_wires_(wires), last_first_(last_first) {}

  using Wires = std::span<const Wire>;

  /// A matrix on one wire.
  void one(Wires controls, Wire target, const U2& matrix);
  /// A matrix on two wires, no more than three CX.
  void two(Wire first, Wire second, const U4& matrix);
  /// A row of gates.def with any parameters.
  void named(Op op, Wires controls, Wires targets, std::span<const Param> params);
  /// exp(i angle) where all wires are 1; no wires: a global phase.
  void phase(Wires wires, const Param& angle);
  void x(Wires controls, Wire target);

 private:
  void rz(Wires controls, Wire target, const Param& angle);
  /// before, rz, before^-1: with controls only the middle is controlled.
  void turned_rz(Wires controls, Wire target, const U2& before, const Param& angle);
  /// exp(-i angle/2 PQ) for letters of X, Y, Z.
  void pauli_rotation(Wires controls, Wires targets, const char* letters, const Param& angle);
  void swap(Wires controls, Wire a, Wire b);
  void turn(Wire wire, const Param& angle);
  void free_rz(Wire wire, const Param& angle);
  void parities(std::vector<Wire> wires, const Param& angle);
  void phase_on_many(Wires wires, const Param& angle);
  void x_with_free_wires(Wires controls, Wire target, Wires free);
  void x_with_one_free_wire(Wires controls, Wire target, Wire free);
  void relative_toffoli(Wire a, Wire b, Wire target);
  std::vector<Wire> free_wires(Wires controls, Wire target) const;

  FlatWriter& writer_;
  ExprPool& pool_;
  std::uint32_t num_wires_;
  bool last_first_;  ///< UnrollOptions::last_first
};

}  // namespace skerry::passes::native
