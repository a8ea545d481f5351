/// \file
/// Questions to a state: norms, probabilities, Pauli expectation values and drawn outcomes.
///
/// Sums run in double precision over pieces that depend on the number of wires alone, so that the answers are the same
/// for any number of threads. Errors of all: what control.check() throws.
#pragma once

#include <array>
#include <cstdint>
#include <skerry/progress.hpp>
#include <span>
#include <vector>

#include "base/memory.hpp"
#include "kernels/statevec/state_view.hpp"

namespace skerry::kernels {

/// Probabilities (squared norms, if the state is not normalised) of finding `wire` in 0 and in 1.
template <class T>
std::array<double, 2> wire_probabilities(ConstStateView<T> state, int wire, const RunControl& control);

/// Squared norm of the state.
template <class T>
double squared_norm(ConstStateView<T> state, const RunControl& control);

/// Adds weight * probability of each outcome of `wires` (wires[0] least significant) to out, of 2^|wires| entries.
/// Scratch: 16 * 2^|wires| doubles up to 10 wires, none above.
template <class T>
void add_probabilities(ConstStateView<T> state, std::span<const int> wires, double weight, std::span<double> out,
                       const RunControl& control);

/// A Pauli string on at most 64 wires by its masks: see PauliTerm.
struct PauliMasks {
  std::uint64_t x = 0, z = 0;
};
/// <state|P|state> for each string; strings of equal x are best neighbours, up to 32 strings share a pass.
template <class T>
std::vector<double> pauli_expectations(ConstStateView<T> state, std::span<const PauliMasks> strings,
                                       const RunControl& control);

/// Draws basis states of a state by their probabilities. Valid while the amplitudes are, which are not copied.
///
/// The probabilities of blocks of amplitudes are added up once. A draw goes to its block by a table that says where
/// each of as many equal shares of [0, 1) begins (Chen and Asau 1974), so that it takes constant time, then looks
/// through it.
template <class T>
class Sampler {
 public:
  /// One pass. Errors: also budget_exceeded.
  Sampler(ConstStateView<T> state, const base::MemoryBudget& budget, const RunControl& control);
  /// What the constructor charges.
  static std::uint64_t scratch_bytes(int wires) noexcept;
  /// The basis state at `uniform` in [0, 1) of the cumulative distribution; never one of probability 0. From any
  /// thread.
  std::uint64_t draw(double uniform) const noexcept;
  /// The same for many; out is as long as uniforms.
  void draw(std::span<const double> uniforms, std::span<std::uint64_t> out) const noexcept;

 private:
  ConstStateView<T> state_;
  std::size_t block_;
  double last_ = 0;  // the largest number below the sum of all
  base::Buffer cumulative_, guide_;
};

}  // namespace skerry::kernels
