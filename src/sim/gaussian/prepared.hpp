/// \file
/// What photon statistics of a Gaussian state are computed from.
#pragma once

#include <complex>
#include <cstdint>
#include <skerry/gaussian.hpp>
#include <span>
#include <vector>

namespace skerry::photonic {

/// The matrix A and the loops gamma of a state, and its vacuum probability; see fock_probability.
/// Source: Quesada, "Franck-Condon factors by counting perfect matchings of graphs with loops", J. Chem. Phys. 150,
/// 2019.
struct GaussianState::Prepared {
  Prepared(std::uint32_t modes, std::span<const double> mean, std::span<const double> covariance);
  double probability(std::span<const std::uint32_t> photons) const;
  /// The same for one pattern alone: modes without photons are eliminated first, and only the others prepared.
  static double probability_of(std::span<const double> mean, std::span<const double> covariance,
                               std::span<const std::uint32_t> photons);

  std::size_t modes;
  bool is_pure;
  double vacuum;                             ///< probability of no photon
  std::vector<std::complex<double>> matrix;  ///< A, 2N x 2N; its first N rows and columns are all if is_pure
  std::vector<std::complex<double>> loops;   ///< gamma
};

/// Lower Cholesky factor of a symmetric matrix in place (the upper triangle is left alone).
/// Errors: invalid_argument when it is not positive definite.
void cholesky(std::size_t size, std::span<double> matrix);

/// See GaussianState::threshold_probability.
double click_probability(std::span<const double> mean, std::span<const double> covariance,
                         std::span<const std::uint8_t> clicks);

}  // namespace skerry::photonic
