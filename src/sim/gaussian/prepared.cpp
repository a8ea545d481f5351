#include "sim/gaussian/prepared.hpp"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <skerry/error.hpp>
#include <string>

#include "kernels/gaussian/eliminate.hpp"
#include "kernels/gaussian/hafnian.hpp"

namespace skerry::photonic {

using Complex = std::complex<double>;

double hafnian(std::size_t n, std::span<const double> matrix, std::span<const double> loops) {
  return loops.empty() && n > 0 ? kernels::gaussian::hafnian(n, matrix)
                                : kernels::gaussian::loop_hafnian(n, matrix, loops);
}
Complex hafnian(std::size_t n, std::span<const Complex> matrix, std::span<const Complex> loops) {
  return loops.empty() && n > 0 ? kernels::gaussian::hafnian(n, matrix)
                                : kernels::gaussian::loop_hafnian(n, matrix, loops);
}
double torontonian(std::size_t modes, std::span<const Complex> matrix) {
  return kernels::gaussian::torontonian(modes, matrix);
}

void cholesky(std::size_t size, std::span<double> matrix) {
  for (std::size_t i = 0; i < size; ++i) {
    double* row = matrix.data() + i * size;
    for (std::size_t j = 0; j <= i; ++j) {
      const double* other = matrix.data() + j * size;
      double sums[4] = {0, 0, 0, 0};  // four chains: additions may overlap
      std::size_t k = 0;
      for (; k + 4 <= j; k += 4)
        for (std::size_t lane = 0; lane < 4; ++lane) sums[lane] += row[k + lane] * other[k + lane];
      for (; k < j; ++k) sums[0] += row[k] * other[k];
      const double rest = row[j] - ((sums[0] + sums[1]) + (sums[2] + sums[3]));
      if (j < i) {
        row[j] = rest / other[j];
      } else if (rest > 0) {
        row[i] = std::sqrt(rest);
      } else {
        throw Error(ErrorCode::invalid_argument, "a covariance that is not positive definite", "Gaussian state",
                    "pass the covariance of a state");
      }
    }
  }
}

namespace {

/// V + 1.
std::vector<double> padded(std::span<const double> covariance, std::size_t size) {
  std::vector<double> matrix(covariance.begin(), covariance.end());
  for (std::size_t i = 0; i < size; ++i) matrix[i * size + i] += 1;
  return matrix;
}

/// Inverse of the lower factor L, row by row: row i of the result is the unit vector minus combinations of earlier
/// rows.
std::vector<double> inverse_factor(std::size_t size, std::span<const double> factor) {
  std::vector<double> inverse(size * size);
  for (std::size_t i = 0; i < size; ++i) {
    double* row = inverse.data() + i * size;
    for (std::size_t k = 0; k < i; ++k) {
      const double weight = factor[i * size + k];
      const double* other = inverse.data() + k * size;
      for (std::size_t j = 0; j <= k; ++j) row[j] -= weight * other[j];
    }
    const double scale = 1 / factor[i * size + i];
    for (std::size_t j = 0; j < i; ++j) row[j] *= scale;
    row[i] = scale;
  }
  return inverse;
}

}  // namespace

GaussianState::Prepared::Prepared(std::uint32_t modes, std::span<const double> mean, std::span<const double> covariance)
    : modes(modes) {
  const std::size_t size = 2 * std::size_t{modes};
  std::vector<double> factor = padded(covariance, size);
  cholesky(size, factor);
  const std::vector<double> inverse = inverse_factor(size, factor);
  // M = (V + 1)^{-1} = L^{-T} L^{-1}, summed row by row of L^{-1}.
  std::vector<double> m(size * size);
  for (std::size_t k = 0; k < size; ++k) {
    const double* row = inverse.data() + k * size;
    for (std::size_t i = 0; i <= k; ++i)
      for (std::size_t j = 0; j <= i; ++j) m[i * size + j] += row[i] * row[j];
  }
  for (std::size_t i = 0; i < size; ++i)
    for (std::size_t j = 0; j < i; ++j) m[j * size + i] = m[i * size + j];

  double exponent = 0, determinant = 1;  // sqrt(det((V + 1) / 2))
  for (std::size_t i = 0; i < size; ++i) {
    determinant *= factor[i * size + i] / std::sqrt(2.0);
    for (std::size_t j = 0; j < size; ++j) exponent += mean[i] * m[i * size + j] * mean[j];
  }
  vacuum = std::exp(-exponent / 2) / determinant;

  // Sigma^{-1} = 4 Omega M Omega^, Omega taking (x, p) to (a, a^); A = X (1 - Sigma^{-1}).
  matrix.resize(size * size);
  loops.assign(size, 0.0);
  double mixed = 0;
  for (std::size_t i = 0; i < modes; ++i) {
    Complex gamma = 0;
    for (std::size_t j = 0; j < modes; ++j) {
      const double xx = m[i * size + j], pp = m[(modes + i) * size + modes + j];
      const double xp = m[i * size + modes + j], px = m[(modes + i) * size + j];
      const Complex same(xx + pp, px - xp), other(xx - pp, px + xp);  // blocks 11 and 12 of Sigma^{-1}
      const Complex cross = (i == j ? 1.0 : 0.0) - std::conj(same);
      matrix[i * size + j] = -std::conj(other);
      matrix[(modes + i) * size + modes + j] = -other;
      matrix[i * size + modes + j] = cross;
      matrix[(modes + i) * size + j] = std::conj(cross);
      mixed = std::max(mixed, std::abs(cross));
      // gamma_i = sum over j of conj(alpha_j) Sigma^{-1}_{ji} + alpha_j Sigma^{-1}_{j+N,i}; Sigma^{-1} is Hermitian.
      const Complex alpha(mean[j] / 2, mean[modes + j] / 2);
      gamma += std::conj(alpha) * std::conj(same) + alpha * std::conj(other);
    }
    loops[i] = gamma;
    loops[modes + i] = std::conj(gamma);
  }
  is_pure = mixed < 1e-11;
}

double GaussianState::Prepared::probability(std::span<const std::uint32_t> photons) const {
  std::vector<std::size_t> rows;
  double factorials = 1;
  for (const std::size_t part : {std::size_t{0}, modes}) {
    if (part > 0 && is_pure) break;
    for (std::size_t k = 0; k < modes; ++k)
      for (std::uint32_t n = 0; n < photons[k]; ++n) {
        rows.push_back(part + k);
        if (part == 0) factorials *= n + 1;
        if (rows.size() > kernels::gaussian::kMaxHafnian)
          throw Error(ErrorCode::limit_exceeded,
                      "more than " + std::to_string(kernels::gaussian::kMaxHafnian) +
                          " rows in the hafnian of a photon pattern",
                      "Gaussian state", "ask for fewer photons");
      }
  }
  const std::size_t size = rows.size();
  if (size == 0) return vacuum;
  std::vector<Complex> picked(size * size), ends(size);
  bool has_loops = false;
  for (std::size_t i = 0; i < size; ++i) {
    ends[i] = loops[rows[i]];
    has_loops = has_loops || std::abs(ends[i]) > 0;
    for (std::size_t j = 0; j < size; ++j) picked[i * size + j] = matrix[rows[i] * 2 * modes + rows[j]];
  }
  const Complex sum = has_loops ? kernels::gaussian::loop_hafnian(size, std::span<const Complex>(picked),
                                                                  std::span<const Complex>(ends))
                                : kernels::gaussian::hafnian(size, std::span<const Complex>(picked));
  return vacuum * (is_pure ? std::norm(sum) : sum.real()) / factorials;
}

namespace {

/// The loud modes of a state, given that the others are in the vacuum.
struct Conditioned {
  std::size_t modes = 0;
  double silence = 1;                 ///< probability of that
  std::vector<double> shift, matrix;  ///< mean, and (V + 1) / 2 above the diagonal
};

/// Silent modes come first and are eliminated; only what is left of the others is computed further.
Conditioned condition(std::span<const double> mean, std::span<const double> covariance, const auto& is_loud) {
  const std::size_t size = mean.size(), modes = size / 2;
  std::vector<std::size_t> order, loud;
  for (const std::size_t part : {std::size_t{0}, modes})
    for (std::size_t k = 0; k < modes; ++k) (is_loud(k) ? loud : order).push_back(part + k);
  const std::size_t silent = order.size();
  order.insert(order.end(), loud.begin(), loud.end());
  std::vector<double> matrix(size * size), shift(size);
  for (std::size_t i = 0; i < size; ++i) {
    shift[i] = mean[order[i]];
    const double* row = covariance.data() + order[i] * size;
    for (std::size_t j = i; j < size; ++j) matrix[i * size + j] = row[order[j]] / 2;
    matrix[i * size + i] += 0.5;
  }
  kernels::gaussian::eliminate(size, silent, matrix, shift);
  Conditioned result;
  result.modes = loud.size() / 2;
  double determinant = 1, exponent = 0;
  for (std::size_t k = 0; k < silent; ++k) {
    determinant *= matrix[k * size + k];
    exponent += shift[k] * shift[k] / matrix[k * size + k] / 4;
  }
  result.silence = std::exp(-exponent) / std::sqrt(determinant);
  result.shift.assign(shift.begin() + static_cast<std::ptrdiff_t>(silent), shift.end());
  for (std::size_t i = silent; i < size; ++i)
    result.matrix.insert(result.matrix.end(), matrix.begin() + static_cast<std::ptrdiff_t>(i * size + silent),
                         matrix.begin() + static_cast<std::ptrdiff_t>((i + 1) * size));
  return result;
}

}  // namespace

double GaussianState::Prepared::probability_of(std::span<const double> mean, std::span<const double> covariance,
                                               std::span<const std::uint32_t> photons) {
  Conditioned rest = condition(mean, covariance, [photons](std::size_t k) { return photons[k] != 0; });
  const std::size_t size = 2 * rest.modes;
  if (size == 0) return rest.silence;
  for (std::size_t i = 0; i < size; ++i)
    for (std::size_t j = i; j < size; ++j)
      rest.matrix[i * size + j] = rest.matrix[j * size + i] = 2 * rest.matrix[i * size + j] - (i == j ? 1 : 0);
  std::vector<std::uint32_t> loud;
  std::copy_if(photons.begin(), photons.end(), std::back_inserter(loud), [](std::uint32_t n) { return n != 0; });
  const Prepared prepared(static_cast<std::uint32_t>(rest.modes), rest.shift, rest.matrix);
  return rest.silence * prepared.probability(loud);
}

double click_probability(std::span<const double> mean, std::span<const double> covariance,
                         std::span<const std::uint8_t> clicks) {
  const auto loud =
      static_cast<std::size_t>(std::count_if(clicks.begin(), clicks.end(), [](auto c) { return c != 0; }));
  if (loud > kernels::gaussian::kMaxTorontonian)
    throw Error(ErrorCode::limit_exceeded, std::to_string(loud) + " clicks", "Gaussian state",
                "ask for at most " + std::to_string(kernels::gaussian::kMaxTorontonian));
  const Conditioned rest = condition(mean, covariance, [clicks](std::size_t k) { return clicks[k] != 0; });
  return rest.silence * kernels::gaussian::click_sum(rest.modes, rest.matrix, rest.shift);
}

}  // namespace skerry::photonic
