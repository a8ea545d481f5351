/// \file
/// The states d|psi>/d parameter, a lane for each parameter, and the Fisher information that they make.
///
/// A chunk of parameters shares one walk: next to the ket, which all lanes hold, a vector of lanes collects
/// d_p (U psi) = U d_p psi + (d_p U) psi. Inner products of chunks follow; with less memory than all chunks need they
/// are walked again for each pair (Jones 2020, arXiv:2011.02991, trades likewise).
#pragma once

#include <complex>
#include <span>
#include <vector>

#include "sim/gradient/lane_run.hpp"
#include "sim/method.hpp"

namespace skerry::sim {

template <class T>
class DerivativeStates {
 public:
  /// tape: a batch's. jacobian: [slots, parameters]. All must outlive this.
  DerivativeStates(const Circuit& circuit, const GateTape& tape, std::span<const double> slots,
                   std::span<const double> jacobian, std::size_t parameters, const Resources& resources);
  /// [p, p], see GradientProgram. Errors: budget_exceeded when not even two chunks fit.
  std::vector<double> fisher();

 private:
  using Complex = std::complex<double>;

  std::uint64_t chunk_numbers() const noexcept;
  /// Derivative states of a chunk into `out`, their overlaps <d_p psi|psi> into overlaps_.
  void make(std::size_t chunk, base::Buffer& out);
  void inject(const TapeNode& node, std::size_t chunk, kernels::LaneView<T> ket, kernels::LaneView<T> out);
  bool fill(const TapeNode& node, std::size_t chunk);
  kernels::LaneView<T> view(base::Buffer& buffer) const;

  const GateTape& tape_;
  std::span<const double> slots_, jacobian_;
  std::size_t parameters_;
  base::MemoryBudget budget_;
  const RunControl& control_;
  LaneRun<T> run_;  ///< its ket is the state
  base::Buffer spare_, coefficients_;
  std::vector<Complex> overlaps_;
};

}  // namespace skerry::sim
