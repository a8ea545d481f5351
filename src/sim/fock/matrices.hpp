/// \file
/// The matrices of a folded circuit for given weights, packed as the kernels want them.
#pragma once

#include <complex>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <utility>
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
  std::vector<T> factors;                   ///< of a step of phases alone: re, im of each amplitude
  bool has_links = false;
};

/// All steps' matrices. build() may be called again with other weights and allocates nothing then.
template <class T>
class Matrices {
 public:
  Matrices(std::vector<Step> steps, kernels::fock::ModeLayout layout);
  const kernels::fock::ModeLayout& layout() const noexcept { return layout_; }
  std::span<const StepMatrices<T>> steps() const noexcept { return steps_; }
  /// with_gradient: also what only the reverse pass reads. Errors: out_of_range (see cubic_phase).
  void build(std::span<const double> weights, bool with_gradient);
  std::uint64_t bytes() const noexcept;

 private:
  using Complex = std::complex<double>;
  /// Phases of the levels of a step's one or two modes; empty when there are none.
  struct LevelPhases {
    std::vector<Complex> values;  // [level of mode 1][level of mode 2], or [level]
    bool any = false;
  };

  void shape(StepMatrices<T>& step);
  void shape_pair(StepMatrices<T>& step, std::span<const kernels::fock::PairBlock> blocks, bool keeps_sum);
  void reserve(kernels::fock::MatrixGate<T>& gate) const;
  void build_step(StepMatrices<T>& step, std::span<const double> weights, bool with_gradient);
  void build_diagonal(StepMatrices<T>& step, std::span<const double> weights);
  void build_channel(StepMatrices<T>& step, double value, bool with_gradient);
  void level_phases(const std::vector<Phase>& phases, const Step& step, std::span<const double> weights,
                    LevelPhases& out) const;
  /// element(block index, row, column), rows of padding included; e(block index, i) the entry of link i.
  template <class Element, class Link>
  void fill(StepMatrices<T>& step, bool with_gradient, Element element, Link e);

  kernels::fock::ModeLayout layout_;
  std::vector<StepMatrices<T>> steps_;
  std::map<std::pair<std::size_t, std::size_t>, kernels::fock::BeamSplitter> splitters_;
  std::map<std::pair<std::size_t, std::size_t>, kernels::fock::TwoModeSqueezing> squeezers_;
  std::vector<double> elements_;
  std::vector<Complex> complex_elements_, complex_derivative_;
  LevelPhases in_, out_;
};

}  // namespace skerry::sim::fock
