/// \file
/// Gaussian states of light by their means and covariances: circuits, photon statistics, sampling.
///
///     skerry::photonic::GaussianState state(2);
///     state.run(circuit, weights);
///     double p = state.fock_probability(std::vector<std::uint32_t>{1, 1});
///
/// hbar = 2. Vectors and matrices are over x1 … xN, p1 … pN; the vacuum has mean 0 and covariance 1.
#pragma once

#include <complex>
#include <cstdint>
#include <memory>
#include <skerry/photonic.hpp>
#include <span>
#include <vector>

namespace skerry::photonic {

/// Sum over all perfect matchings of an n x n symmetric matrix, with `loops` (n weights) or without (empty).
/// Errors: limit_exceeded above 60 rows, invalid_argument for sizes that disagree.
double hafnian(std::size_t n, std::span<const double> matrix, std::span<const double> loops = {});
std::complex<double> hafnian(std::size_t n, std::span<const std::complex<double>> matrix,
                             std::span<const std::complex<double>> loops = {});
/// See kernels/gaussian/hafnian.hpp. matrix: 2 modes x 2 modes, Hermitian.
double torontonian(std::size_t modes, std::span<const std::complex<double>> matrix);

/// A value. Questions prepare what they need once and keep it until the state changes; not for two threads at once.
class GaussianState {
 public:
  /// The vacuum. Errors: out_of_range for 0 or more than kMaxModes modes.
  explicit GaussianState(std::uint32_t modes);
  /// Errors: invalid_argument for sizes other than 2N and 2N x 2N, or a covariance that is not symmetric.
  GaussianState(std::vector<double> mean, std::vector<double> covariance);
  GaussianState(const GaussianState&);
  GaussianState(GaussianState&&) noexcept;
  GaussianState& operator=(const GaussianState&);
  GaussianState& operator=(GaussianState&&) noexcept;
  ~GaussianState();
  static constexpr std::uint32_t kMaxModes = 4096;

  std::uint32_t modes() const noexcept { return modes_; }
  std::span<const double> mean() const noexcept { return mean_; }
  std::span<const double> covariance() const noexcept { return covariance_; }

  /// Applies every gate in turn. Errors: unsupported for Kerr, cross-Kerr and cubic phase, which leave the Gaussians;
  /// invalid_argument when numbers of modes or weights differ.
  GaussianState& run(const Circuit& circuit, std::span<const double> weights = {});

  /// The state of these modes alone. Errors: out_of_range.
  GaussianState reduced(std::span<const std::uint32_t> modes) const;
  double mean_photons(std::uint32_t mode) const;
  /// Wigner function of one mode; its integral over x and p is 1.
  double wigner(std::uint32_t mode, double x, double p) const;

  /// Probability of these photon numbers, one for each mode. A loop hafnian of as many rows as there are photons for a
  /// pure state, of twice as many for a mixed one. Errors: invalid_argument (count), limit_exceeded (photons).
  double fock_probability(std::span<const std::uint32_t> photons) const;
  /// Probability that exactly the modes marked true click. 2^{clicks} determinants of conditioned covariances.
  double threshold_probability(std::span<const std::uint8_t> clicks) const;

  /// Photon numbers [shots][modes], mode by mode on what was found before; numbers of `cutoff` and more are found as
  /// cutoff - 1. The same for a seed. Errors: limit_exceeded.
  std::vector<std::uint32_t> sample_photons(std::uint64_t shots, std::uint32_t cutoff, std::uint64_t seed) const;
  /// Clicks [shots][modes], 0 or 1.
  std::vector<std::uint8_t> sample_clicks(std::uint64_t shots, std::uint64_t seed) const;
  /// Outcomes [shots][2 N] of heterodyne detection of all modes, as x and p whose means are the state's.
  std::vector<double> sample_heterodyne(std::uint64_t shots, std::uint64_t seed) const;

  /// Measures x cos t + p sin t of a mode: draws the outcome with that random number, or takes the outcome given
  /// (post-selection), conditions the others on it and leaves the mode in the vacuum. Gives the outcome.
  double measure_homodyne(std::uint32_t mode, double angle, double uniform);
  void condition_homodyne(std::uint32_t mode, double angle, double outcome);
  /// Heterodyne detection of a mode by two random numbers: alpha, of mean <a>; the mode is left in the vacuum.
  std::complex<double> measure_heterodyne(std::uint32_t mode, double uniform1, double uniform2);
  /// Replaces the state of a mode by a thermal one of so many photons, 0 for the vacuum.
  void prepare_thermal(std::uint32_t mode, double mean_photons);

 private:
  struct Prepared;
  void apply(const Instruction& instruction, std::span<const double> weights);
  void transform(std::span<const std::uint32_t> modes, std::span<const std::complex<double>> u,
                 std::span<const std::complex<double>> w);
  void scale(std::uint32_t mode, double factor, double noise);
  const Prepared& prepared() const;

  std::uint32_t modes_;
  std::vector<double> mean_, covariance_;
  mutable std::unique_ptr<Prepared> prepared_;
};

}  // namespace skerry::photonic
