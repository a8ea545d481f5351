#include "kernels/tensor/fourier.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <numbers>

#include "base/obey.hpp"

namespace skerry::kernels {
namespace {

using Number = std::complex<double>;

// Up to here a factor's own transform is a sum of products; past it a convolution is faster.
constexpr std::size_t kMostFactor = 31;

// Without the question whether something was infinite, which costs more than the product.
Number product(Number a, Number b) {
  return {a.real() * b.real() - a.imag() * b.imag(), a.real() * b.imag() + a.imag() * b.real()};
}

std::size_t first_factor(std::size_t n) {
  if (n % 4 == 0) return 4;
  for (std::size_t p = 2; p * p <= n; p += p == 2 ? 1 : 2) {
    if (n % p == 0) return p;
  }
  return n;
}

bool is_smooth(std::size_t n) {
  while (n > 1) {
    const std::size_t p = first_factor(n);
    if (p > kMostFactor) return false;
    n /= p;
  }
  return true;
}

std::size_t padded_length(std::size_t n) {
  return std::bit_ceil(2 * n - 1);
}

// exp(sign 2 pi i k / n), from an angle within an eighth of a turn so that it is as exact as its sine.
Number root(std::size_t k, std::size_t n, double sign) {
  const double angle = 2.0 * std::numbers::pi * static_cast<double>(k) / static_cast<double>(n);
  return {std::cos(angle), sign * std::sin(angle)};
}

}  // namespace

Fourier::Fourier(std::size_t length, bool inverse) : length_(length) {
  const double sign = inverse ? 1.0 : -1.0;
  if (is_smooth(length)) {
    roots_.reserve(length);
    for (std::size_t k = 0; k < length; ++k) roots_.push_back(root(k, length, sign));
    work_.resize(length);
    return;
  }
  // n k = (n^2 + k^2 - (k - n)^2) / 2, so the sum is a convolution with exp(i pi n^2 / length); n^2 modulo 2 length.
  const std::size_t size = padded_length(length);
  inner_.reserve(2);
  chirp_.reserve(length);
  inner_.emplace_back(size, false);
  inner_.emplace_back(size, true);
  std::size_t square = 0;
  for (std::size_t n = 0; n < length; ++n) {
    chirp_.push_back(root(square, 2 * length, sign));
    square = (square + 2 * n + 1) % (2 * length);
  }
  spectrum_.resize(size);
  padded_.resize(size);
  for (std::size_t n = 0; n < length; ++n) {
    spectrum_[n] = std::conj(chirp_[n]);
    if (n > 0) spectrum_[size - n] = spectrum_[n];
  }
  inner_[0].transform(spectrum_);
}

void Fourier::transform(std::span<std::complex<double>> line) {
  if (!inner_.empty()) return as_convolution(line);
  std::ranges::copy(line, work_.begin());
  by_factors(work_.data(), 1, line.data(), length_);
}

// y becomes the transform of x[0], x[step], x[2 step], ...
void Fourier::by_factors(const Number* x, std::size_t step, Number* y, std::size_t size) const {
  if (size == 0) return;
  if (size == 1) {
    *y = *x;
    return;
  }
  constexpr std::size_t kWorthAsking = 4096;
  if (size >= kWorthAsking) base::check_stop();
  const std::size_t factor = first_factor(size), part = size / factor;
  for (std::size_t r = 0; r < factor; ++r) by_factors(x + r * step, step * factor, y + r * part, part);
  std::array<Number, kMostFactor> turned;
  const std::size_t turn = length_ / factor;
  for (std::size_t k = 0; k < part; ++k) {
    for (std::size_t r = 0; r < factor; ++r) turned[r] = product(y[r * part + k], roots_[r * k * step]);
    for (std::size_t q = 0; q < factor; ++q) {
      Number sum = turned[0];
      for (std::size_t r = 1; r < factor; ++r) sum += product(turned[r], roots_[r * q % factor * turn]);
      y[q * part + k] = sum;
    }
  }
}

void Fourier::as_convolution(std::span<Number> line) {
  std::ranges::fill(padded_, Number());
  for (std::size_t n = 0; n < length_; ++n) padded_[n] = product(line[n], chirp_[n]);
  inner_[0].transform(padded_);
  for (std::size_t k = 0; k < padded_.size(); ++k) padded_[k] = product(padded_[k], spectrum_[k]);
  inner_[1].transform(padded_);
  const double scale = 1.0 / static_cast<double>(padded_.size());
  for (std::size_t k = 0; k < length_; ++k) line[k] = scale * product(padded_[k], chirp_[k]);
}

std::uint64_t Fourier::bytes(std::size_t length) noexcept {
  const std::uint64_t n = std::max<std::size_t>(length, 1);
  if (is_smooth(n)) return 2 * n * sizeof(Number);
  return 2 * sizeof(Fourier) + (6 * padded_length(n) + n) * sizeof(Number);
}

double Fourier::products(std::size_t length) noexcept {
  if (length < 2) return 1.0;
  if (!is_smooth(length)) {
    const std::size_t size = padded_length(length);
    return 2.0 * products(size) + static_cast<double>(size + 2 * length);
  }
  double per_element = 0.0;
  for (std::size_t rest = length; rest > 1; rest /= first_factor(rest))
    per_element += static_cast<double>(first_factor(rest));
  return per_element * static_cast<double>(length);
}

}  // namespace skerry::kernels
