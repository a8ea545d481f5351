/// \file
/// A matrix made ready to be applied to wires of a state: classified once, then swept over the amplitudes by all
/// threads.
#pragma once

#include <complex>
#include <cstdint>
#include <skerry/progress.hpp>
#include <span>
#include <vector>

#include "kernels/statevec/groups.hpp"
#include "kernels/statevec/kernels.hpp"
#include "kernels/statevec/state_view.hpp"

namespace skerry::kernels {

/// What a matrix does to the members of a group, found from where its entries are exactly 0 and 1.
enum class Action : std::uint8_t { none, diagonal, permute, dense };

/// x <- M x on `targets` where all control bits are 1. Immutable; apply() from any thread.
template <class T>
class Gate {
 public:
  /// matrix: 2^k x 2^k, row-major, first target least significant; it need not be unitary (a projection is none).
  /// Preconditions: those of Groups, and k <= kMaxDenseTargets.
  Gate(int wires, std::uint64_t controls, std::span<const int> targets, std::span<const std::complex<double>> matrix);

  /// Changes the state in place, on up to thread_budget() threads; the result does not depend on their number.
  /// Errors: what control.check() throws; the state is then of no use.
  void apply(StateView<T> state, const RunControl& control) const;

  Action action() const noexcept { return action_; }

 private:
  void classify(std::span<const std::complex<double>> matrix);

  Groups groups_;
  Action action_ = Action::dense;
  std::vector<std::complex<T>> values_;
  std::vector<std::uint32_t> sources_;
};

}  // namespace skerry::kernels
