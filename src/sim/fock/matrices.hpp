/// \file
/// The matrices of a folded circuit for given weights, packed as the kernels want them.
#pragma once

#include <complex>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "kernels/fock/elements.hpp"
#include "kernels/fock/ket.hpp"
#include "sim/fock/fold.hpp"

namespace skerry::sim::fock {

/// Row-major ket over modes of these cutoffs. Errors: limit_exceeded for more than 2^40 amplitudes.
kernels::fock::ModeLayout layout_of(std::span<const std::uint32_t> cutoffs);

/// g(n) of a phase for every amplitude.
std::vector<double> phase_function(const Phase& phase, const kernels::fock::ModeLayout& layout);

/// A step made ready.
template <class T>
struct StepMatrices {
  Step step;
  kernels::fock::MatrixGate<T> gate;
  kernels::fock::MatrixGate<T> derivative;  ///< by the step's parameter, where `gate` has no links
  bool has_links = false;
};

/// All steps' matrices and the phases between them. build() may be called again with other weights and allocates
/// nothing then.
template <class T>
class Matrices {
 public:
  Matrices(Folded folded, kernels::fock::ModeLayout layout);
  const kernels::fock::ModeLayout& layout() const noexcept { return layout_; }
  std::span<const StepMatrices<T>> steps() const noexcept { return steps_; }
  /// with_gradient: also what only the reverse pass reads. Errors: out_of_range (see cubic_phase).
  void build(std::span<const double> weights, bool with_gradient);

  /// The phases after step `place` - 1, none if they are empty. Those of large kets are not stored but computed into
  /// room, phase_room() numbers.
  kernels::fock::Phases<T> phases(std::size_t place, T* room) const;
  std::size_t phase_room() const noexcept { return stores_phases_ ? 0 : 2 * layout_.amplitudes; }
  bool has_phases(std::size_t place) const noexcept { return !phases_[place].given.empty(); }

 private:
  /// Gates of one kind between the same cutoffs: their elements are computed side by side.
  struct Family {
    photonic::Gate gate{};
    std::size_t cutoffs[2] = {0, 0};
    kernels::fock::GateElements elements;
    std::vector<std::size_t> steps;
  };
  /// The diagonal factor at one place. A level's factor is exp(i (linear n + quadratic n²)).
  struct Turns {
    std::vector<Phase> given;
    std::vector<double> re, im;  // of the modes' levels, one mode after the other
    // exp(i angle m n) of each pair of modes for all its levels m, n, in the order of `given`; empty for other phases.
    std::vector<std::vector<std::complex<double>>> product;
    std::vector<T> factors;  // re, im of all amplitudes if they are stored
  };

  void shape(std::size_t index);
  Family& family_of(const Step& step);
  void build_channel(StepMatrices<T>& step, double value, bool with_gradient);
  void build_cubic(StepMatrices<T>& step, double value);
  void build_turns(Turns& turns, std::span<const double> weights) const;
  void expand(const Turns& turns, T* re, T* im) const;

  kernels::fock::ModeLayout layout_;
  std::vector<StepMatrices<T>> steps_;
  std::vector<Family> families_;
  std::vector<Turns> phases_;
  bool stores_phases_ = true;
  std::vector<double> scratch_;
  std::vector<std::complex<double>> complex_elements_, complex_derivative_;
};

}  // namespace skerry::sim::fock
