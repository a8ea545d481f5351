// Sums over all subsets of modes of 1 / sqrt(det), with and without displacements.
//
// The walk keeps the Schur complement of the modes that are still undecided. Leaving a mode out takes the block without
// it, taking it in eliminates its two rows; so a mode near the end of the walk, where almost all the subsets are, costs
// a handful of products, and a subset O(1) on average. Its ancestors: Kaposi, Kolarovszki, Kozsik, Zimborás, Rakyta,
// arXiv:2109.04528, 2021, who grow a Cholesky factor instead, O(m²) for a subset.

#include <algorithm>
#include <cmath>
#include <complex>
#include <skerry/error.hpp>
#include <string>
#include <vector>

#include "kernels/gaussian/hafnian.hpp"

namespace skerry::kernels::gaussian {
namespace {

double conjugate(double x) {
  return x;
}
std::complex<double> conjugate(std::complex<double> x) {
  return std::conj(x);
}
double real_part(double x) {
  return x;
}
double real_part(std::complex<double> x) {
  return x.real();
}
double product(double x, double y) {
  return x * y;
}
/// Without the NaN rules of std::complex.
std::complex<double> product(std::complex<double> x, std::complex<double> y) {
  return {x.real() * y.real() - x.imag() * y.imag(), x.real() * y.imag() + x.imag() * y.real()};
}

/// Rows 2k and 2k + 1 belong to mode k; of Hermitian matrices the upper part is kept.
template <class Number>
class Subsets {
 public:
  Subsets(std::size_t modes, bool is_displaced) : modes_(modes), is_displaced_(is_displaced), levels_(modes + 1) {
    for (std::size_t left = 0; left <= modes; ++left) {
      levels_[left].matrix.resize(4 * left * left);
      levels_[left].shift.resize(2 * left);
    }
  }
  std::vector<Number>& matrix() { return levels_[modes_].matrix; }
  std::vector<double>& shift() { return levels_[modes_].shift; }

  double sum() { return walk(modes_, levels_[modes_].matrix.data(), 2 * modes_, levels_[modes_].shift.data(), 1, 0); }

 private:
  struct Level {
    std::vector<Number> matrix;
    std::vector<double> shift;
  };

  double leaf(double determinant, double exponent) const {
    const double value = 1 / std::sqrt(determinant);
    return is_displaced_ ? std::exp(-exponent) * value : value;
  }

  /// Sum over subsets of the last `left` modes of (-1)^size / sqrt(determinant * theirs) exp(-exponent - theirs).
  double walk(std::size_t left, const Number* m, std::size_t stride, const double* shift, double determinant,
              double exponent) {
    if (left == 0) return leaf(determinant, exponent);
    const double without = walk(left - 1, m + 2 * stride + 2, stride, shift + 2, determinant, exponent);
    const double p0 = real_part(m[0]), inverse0 = 1 / p0;
    const Number ratio = conjugate(m[1]) * inverse0;
    const double p1 = real_part(m[stride + 1]) - real_part(product(ratio, m[1])), inverse1 = 1 / p1;
    if (!(p0 > 0 && p1 > 0))
      throw Error(ErrorCode::invalid_argument, "1 - O is not positive definite", "torontonian",
                  "pass the O of a Gaussian state: 1 minus the inverse of its Husimi covariance");
    double second = 0;
    if (is_displaced_) {
      second = shift[1] - real_part(ratio) * shift[0];
      exponent += (shift[0] * shift[0] * inverse0 + second * second * inverse1) / 4;
    }
    determinant *= p0 * p1;
    if (left == 1) return without - leaf(determinant, exponent);
    Level& next = levels_[left - 1];
    const std::size_t size = 2 * (left - 1);
    const Number *row0 = m + 2, *row1 = m + stride + 2;
    Number* below = rows_;  // row 1 after row 0 has gone
    for (std::size_t j = 0; j < size; ++j) below[j] = row1[j] - product(ratio, row0[j]);
    for (std::size_t i = 0; i < size; ++i) {
      const Number w0 = conjugate(row0[i]) * inverse0, w1 = conjugate(below[i]) * inverse1;
      const Number* from = m + (i + 2) * stride + 2;
      Number* to = next.matrix.data() + i * size;
      for (std::size_t j = i; j < size; ++j) to[j] = from[j] - product(w0, row0[j]) - product(w1, below[j]);
      if (is_displaced_) next.shift[i] = shift[i + 2] - real_part(w0) * shift[0] - real_part(w1) * second;
    }
    return without - walk(left - 1, next.matrix.data(), size, next.shift.data(), determinant, exponent);
  }

  std::size_t modes_;
  bool is_displaced_;
  std::vector<Level> levels_;
  Number rows_[2 * kMaxTorontonian] = {};
};

void check_modes(std::size_t modes, std::size_t numbers) {
  if (modes > kMaxTorontonian)
    throw Error(ErrorCode::limit_exceeded, "a torontonian of " + std::to_string(modes) + " modes", "torontonian",
                "take at most " + std::to_string(kMaxTorontonian));
  if (numbers != 4 * modes * modes)
    throw Error(ErrorCode::invalid_argument,
                "a matrix of " + std::to_string(numbers) + " numbers for " + std::to_string(modes) + " modes",
                "torontonian", "pass a square matrix of twice as many rows");
}

/// Source row of row i of the walk's matrix.
std::size_t source(std::size_t modes, std::size_t i) {
  return i / 2 + (i % 2 == 0 ? 0 : modes);
}

}  // namespace

double torontonian(std::size_t modes, std::span<const std::complex<double>> matrix) {
  check_modes(modes, matrix.size());
  Subsets<std::complex<double>> subsets(modes, false);
  for (std::size_t i = 0; i < 2 * modes; ++i)
    for (std::size_t j = i; j < 2 * modes; ++j)
      subsets.matrix()[i * 2 * modes + j] =
          (i == j ? 1.0 : 0.0) - matrix[source(modes, i) * 2 * modes + source(modes, j)];
  return (modes % 2 == 0 ? 1 : -1) * subsets.sum();
}

double click_sum(std::size_t modes, std::span<const double> matrix, std::span<const double> shift) {
  check_modes(modes, matrix.size());
  bool is_displaced = false;
  for (const double value : shift) is_displaced = is_displaced || value != 0;
  Subsets<double> subsets(modes, is_displaced);
  for (std::size_t i = 0; i < 2 * modes; ++i) {
    subsets.shift()[i] = shift[source(modes, i)];
    for (std::size_t j = i; j < 2 * modes; ++j)
      subsets.matrix()[i * 2 * modes + j] = matrix[std::min(source(modes, i), source(modes, j)) * 2 * modes +
                                                   std::max(source(modes, i), source(modes, j))];
  }
  return subsets.sum();
}

}  // namespace skerry::kernels::gaussian
