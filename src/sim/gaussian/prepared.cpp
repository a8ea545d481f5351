#include "sim/gaussian/prepared.hpp"

#include <algorithm>
#include <cmath>
#include <skerry/error.hpp>
#include <string>

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

GaussianState::Prepared::Prepared(std::uint32_t count, std::span<const double> mean, std::span<const double> covariance)
    : modes(count) {
  const std::size_t size = 2 * modes;
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

/// Alternating sum over subsets of clicking modes of their vacuum probabilities, given the others' vacuum: a Cholesky
/// factor that grows and shrinks by two rows, with the mean as one more column.
class Clicks {
 public:
  Clicks(std::size_t modes, std::span<const double> matrix, std::span<const double> mean)
      : modes_(modes),
        matrix_(matrix),
        mean_(mean),
        factor_(4 * modes * modes),
        solved_(2 * modes),
        sources_(2 * modes) {}

  double walk(std::size_t mode, std::size_t rows, double root, double exponent) {
    if (mode == modes_) return std::exp(-exponent) / root;
    const double without = walk(mode + 1, rows, root, exponent);
    double next = root, more = exponent;
    for (const std::size_t source : {mode, modes_ + mode}) {
      add_row(rows, source);
      next *= factor_[rows * 2 * modes_ + rows];
      more += solved_[rows] * solved_[rows] / 4;
      ++rows;
    }
    return without - walk(mode + 1, rows, next, more);
  }

 private:
  void add_row(std::size_t row, std::size_t source) {
    const std::size_t size = 2 * modes_;
    sources_[row] = source;
    double* out = factor_.data() + row * size;
    double rest = matrix_[source * size + source], value = mean_[source];
    for (std::size_t j = 0; j < row; ++j) {
      const double* other = factor_.data() + j * size;
      double sum = matrix_[source * size + sources_[j]];
      for (std::size_t k = 0; k < j; ++k) sum -= out[k] * other[k];
      out[j] = sum / other[j];
      rest -= out[j] * out[j];
      value -= out[j] * solved_[j];
    }
    out[row] = std::sqrt(rest);
    solved_[row] = value / out[row];
  }

  std::size_t modes_;
  std::span<const double> matrix_, mean_;
  std::vector<double> factor_, solved_;
  std::vector<std::size_t> sources_;
};

}  // namespace

double click_probability(std::span<const double> mean, std::span<const double> covariance,
                         std::span<const std::uint8_t> clicks) {
  const std::size_t modes = clicks.size(), size = 2 * modes;
  // Silent modes first; their rows of the factor condition the clicking ones on their vacuum.
  std::vector<std::size_t> order, loud;
  for (const std::size_t part : {std::size_t{0}, modes})
    for (std::size_t k = 0; k < modes; ++k) (clicks[k] != 0 ? loud : order).push_back(part + k);
  const std::size_t silent = order.size(), rest = loud.size();
  if (rest / 2 > kernels::gaussian::kMaxTorontonian)
    throw Error(ErrorCode::limit_exceeded, std::to_string(rest / 2) + " clicks", "Gaussian state",
                "ask for at most " + std::to_string(kernels::gaussian::kMaxTorontonian));
  order.insert(order.end(), loud.begin(), loud.end());
  std::vector<double> matrix(size * size), shift(size);
  for (std::size_t i = 0; i < size; ++i) {
    shift[i] = mean[order[i]];
    for (std::size_t j = 0; j < size; ++j)
      matrix[i * size + j] = (covariance[order[i] * size + order[j]] + (i == j ? 1 : 0)) / 2;
  }
  // Outer products eliminate the silent rows, leaving the Schur complement and the conditioned mean.
  double root = 1, exponent = 0;
  for (std::size_t k = 0; k < silent; ++k) {
    const double pivot = matrix[k * size + k];
    root *= std::sqrt(pivot);
    exponent += shift[k] * shift[k] / pivot / 4;
    for (std::size_t i = k + 1; i < size; ++i) {
      const double weight = matrix[i * size + k] / pivot;
      shift[i] -= weight * shift[k];
      for (std::size_t j = k + 1; j <= i; ++j) matrix[i * size + j] -= weight * matrix[j * size + k];
    }
  }
  if (rest == 0) return std::exp(-exponent) / root;
  std::vector<double> conditioned(rest * rest);
  for (std::size_t i = 0; i < rest; ++i)
    for (std::size_t j = 0; j < rest; ++j)
      conditioned[i * rest + j] = matrix[(silent + std::max(i, j)) * size + silent + std::min(i, j)];
  return Clicks(rest / 2, conditioned, std::span(shift).subspan(silent)).walk(0, 0, root, exponent);
}

}  // namespace skerry::photonic
