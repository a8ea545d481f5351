/// \file
/// Observables as the kernels want them: masks over the simulated wires, strings that share a pass side by side.
#pragma once

#include <cstdint>
#include <skerry/observable.hpp>
#include <span>
#include <vector>

#include "kernels/statevec/reduce.hpp"

namespace skerry::sim {

/// Position of a wire that is not simulated because nothing touches it: it stays in |0>.
inline constexpr std::uint32_t kIdle = 0xffffffffU;

/// The terms of an observable that can differ from zero. X or Y on an idle wire has expectation 0, Z has 1.
struct MaskedObservable {
  std::vector<kernels::PauliMasks> strings;  ///< sorted so that equal x are neighbours
  std::vector<double> coefficients;
  double constant = 0.0;  ///< terms that are the identity on the simulated wires
};

/// positions[w]: place of wire w in the simulated state, or kIdle.
MaskedObservable mask(const Observable& observable, std::span<const std::uint32_t> positions);

/// <state|O|state>.
template <class T>
double expectation(const MaskedObservable& observable, kernels::ConstStateView<T> state, const RunControl& control) {
  const auto values = kernels::pauli_expectations<T>(state, observable.strings, control);
  double sum = observable.constant;
  for (std::size_t i = 0; i < values.size(); ++i) sum += observable.coefficients[i] * values[i];
  return sum;
}

}  // namespace skerry::sim
