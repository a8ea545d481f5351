/// \file
/// One state of light in Fock space, pure or mixed: run circuits on it, ask it, measure it and go on.
///
///     auto state = skerry::photonic::FockState::vacuum(std::vector<std::uint32_t>{12, 12});
///     state.run(circuit);
///     double x = state.measure_homodyne(0, 0.0, random);       // outcome; the other mode is conditioned on it
///     state.run(correction_for(x));                             // feed-forward is code between the runs
#pragma once

#include <complex>
#include <cstdint>
#include <skerry/photonic.hpp>
#include <span>
#include <vector>

namespace skerry::photonic {

/// A value in double precision. A pure state is a ket of prod(cutoffs) amplitudes, mode 0 slowest; a mixed one a
/// density matrix, row-major. Nothing is divided by the norm (or trace), which truncation makes less than 1, except
/// where a measurement draws or conditions.
class FockState {
 public:
  /// Errors of all factories: out_of_range (cutoffs, photons), invalid_argument (sizes), limit_exceeded.
  static FockState vacuum(std::span<const std::uint32_t> cutoffs);
  static FockState from_ket(std::span<const std::uint32_t> cutoffs, std::vector<std::complex<double>> ket);
  static FockState from_density(std::span<const std::uint32_t> cutoffs, std::vector<std::complex<double>> matrix);
  static FockState fock(std::span<const std::uint32_t> cutoffs, std::span<const std::uint32_t> photons);
  static FockState coherent(std::span<const std::uint32_t> cutoffs, std::span<const std::complex<double>> alphas);
  /// One mode: (|alpha> + e^{i phase} |-alpha>), normalised.
  static FockState cat(std::uint32_t cutoff, std::complex<double> alpha, double phase);
  /// One mode: |0> of the square Gottesman-Kitaev-Preskill code with peaks at even multiples of sqrt(2 pi) in x (hbar =
  /// 2), damped by exp(-epsilon n) and normalised. Source: Gottesman, Kitaev, Preskill, Phys. Rev. A 64, 012310, 2001.
  static FockState gkp(std::uint32_t cutoff, double epsilon);
  /// One mode with exponentially distributed photon numbers of this mean.
  static FockState thermal(std::uint32_t cutoff, double mean_photons);

  std::uint32_t modes() const noexcept { return static_cast<std::uint32_t>(cutoffs_.size()); }
  std::span<const std::uint32_t> cutoffs() const noexcept { return cutoffs_; }
  bool is_pure() const noexcept { return !is_mixed_; }
  /// The ket, or the density matrix.
  std::span<const std::complex<double>> data() const noexcept { return data_; }

  /// Applies a circuit, with amplitudes of this width; a channel turns a pure state into a mixed one.
  FockState& run(const Circuit& circuit, std::span<const double> weights = {},
                 Precision precision = Precision::double_precision);
  /// Replaces the state of a mode. A pure state stays pure if the mode was in a product with the others and the new one
  /// is pure; otherwise the mode is traced out. Errors: out_of_range, invalid_argument (another cutoff).
  FockState& prepare(std::uint32_t mode, const FockState& one);
  /// The density matrix of a state that may be pure.
  FockState mixed() const;

  double trace() const;
  double purity() const;
  /// Density matrix of one mode, cutoff x cutoff.
  std::vector<std::complex<double>> reduced(std::uint32_t mode) const;
  /// Probability of every Fock state, mode 0 slowest.
  std::vector<double> probabilities() const;
  double mean_photons(std::uint32_t mode) const;
  /// Mean and variance of x cos t + p sin t of a mode, of the cut state.
  std::pair<double, double> quadrature(std::uint32_t mode, double angle) const;
  /// |<a|b>|² of two pure states, <a|B|a> of a pure and a mixed one. Errors: unsupported for two mixed ones.
  double fidelity(const FockState& other) const;
  /// Wigner function at every (x_i, p_j), [x][p]; integral = trace.
  std::vector<double> wigner(std::uint32_t mode, std::span<const double> x, std::span<const double> p) const;
  /// Density of x cos t + p sin t at these points.
  std::vector<double> homodyne_density(std::uint32_t mode, double angle, std::span<const double> x) const;

  /// Photon numbers [shots][modes]; the same for a seed.
  std::vector<std::uint32_t> sample_photons(std::uint64_t shots, std::uint64_t seed) const;
  /// Homodyne outcomes [shots][modes], mode by mode, each on the state conditioned on those before it.
  std::vector<double> sample_homodyne(std::span<const double> angles, std::uint64_t shots, std::uint64_t seed) const;

  /// Measurements: the outcome for a uniform random number; the state is conditioned on it and normalised. A mode
  /// measured by quadratures is left in the vacuum, one whose photons were counted in that Fock state.
  double measure_homodyne(std::uint32_t mode, double angle, double uniform);
  std::complex<double> measure_heterodyne(std::uint32_t mode, double uniform1, double uniform2);
  std::uint32_t measure_photons(std::uint32_t mode, double uniform);
  /// True for one photon or more.
  bool measure_click(std::uint32_t mode, double uniform);
  /// Post-selection: the probability (density) of the outcome, on which the state is conditioned.
  /// Errors: invalid_argument when it is 0.
  double select_homodyne(std::uint32_t mode, double angle, double outcome);
  double select_photons(std::uint32_t mode, std::uint32_t photons);

 private:
  FockState(std::span<const std::uint32_t> cutoffs, bool is_mixed);
  void check_mode(std::uint32_t mode) const;
  /// Contracts a mode with bra sum_n vector_n <n| and leaves it in Fock state `left`. Not normalised.
  void project(std::uint32_t mode, std::span<const std::complex<double>> vector, std::uint32_t left);
  double normalise();
  std::vector<std::complex<double>> quadrature_bra(std::uint32_t mode, double angle, double x) const;

  std::vector<std::uint32_t> cutoffs_;
  bool is_mixed_ = false;
  std::vector<std::complex<double>> data_;
};

}  // namespace skerry::photonic
