#include "kernels/fock/elements.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <skerry/error.hpp>
#include <string>

namespace skerry::kernels::fock {
namespace {

double root(std::size_t n) {
  return std::sqrt(static_cast<double>(n));
}

}  // namespace

void displacement(double r, std::size_t rows, std::size_t columns, std::span<double> out) {
  const double x = r * r, size = std::abs(r), sign = r < 0 ? -1.0 : 1.0;
  const std::size_t diagonals = std::max(rows, columns);
  double start = std::exp(-x / 2), parity = 1.0;  // |r|^k exp(-x/2) / sqrt(k!) and sign^k
  for (std::size_t k = 0; k < diagonals; ++k) {
    if (k > 0) {
      start *= size / root(k);
      parity *= sign;
    }
    // u = start * sqrt(n + k over n) * p, where p is the Laguerre polynomial divided by its value at 0. Taken by its
    // differences, because near x = 0 the three-term form forgets x.
    double p = 1.0, difference = 0.0, scale = start;
    for (std::size_t n = 0; n + k < diagonals; ++n) {
      const double u = scale * p;
      if (n + k < rows && n < columns) out[(n + k) * columns + n] = parity * u;
      if (n < rows && n + k < columns) out[n * columns + n + k] = (k % 2 == 0 ? parity : -parity) * u;
      difference = (static_cast<double>(n) * difference - x * p) / static_cast<double>(n + k + 1);
      p += difference;
      scale *= root(n + k + 1) / root(n + 1);
    }
  }
}

void squeezing(double r, std::size_t size, std::span<double> out) {
  std::fill_n(out.begin(), size * size, 0.0);
  const double c = std::cosh(r), t = std::tanh(r);
  // S n S^ = (c² + s²) n + s² + c s (a² + a^²), so n is the eigenvalue of a three-term recurrence in m. `value` is the
  // element without its factor t^{(n - m) / 2}, which makes r = 0 a value like any other.
  std::vector<double> powers(size / 2 + 1, 1.0);
  for (std::size_t i = 1; i < powers.size(); ++i) powers[i] = powers[i - 1] * t;
  double even = std::sqrt(1.0 / c), odd = even / c;  // <0|S|n> and <1|S|n>
  for (std::size_t n = 0; n < size; ++n) {
    if (n >= 2 && n % 2 == 0) even *= root(n - 1) / root(n);
    if (n >= 2 && n % 2 == 1) odd *= root(n) / root(n - 1);
    double before = 0.0, value = n % 2 == 0 ? even : odd;
    for (std::size_t m = n % 2; m <= n; m += 2) {
      const double element = value * powers[(n - m) / 2];
      out[m * size + n] = element;
      out[n * size + m] = (n - m) % 4 == 0 ? element : -element;
      const double middle = static_cast<double>(n - m) - t * t * static_cast<double>(n + m + 1);
      const double next = (middle * value - root(m * (m == 0 ? 0 : m - 1)) * t * t * before) / root((m + 1) * (m + 2));
      before = value;
      value = next;
    }
  }
}

void wave_functions(double x, std::span<double> out) {
  double before = 0.0, value = std::pow(2 * std::numbers::pi, -0.25) * std::exp(-x * x / 4);
  for (std::size_t n = 0; n < out.size(); ++n) {
    out[n] = value;
    const double next = (x * value - root(n) * before) / root(n + 1);
    before = value;
    value = next;
  }
}

void cubic_phase(double g, std::size_t size, std::span<std::complex<double>> out,
                 std::span<std::complex<double>> derivative) {
  // Beyond reach the wave functions are below 1e-17; faster than `rate` no product of them and the phase turns.
  const double turning = 2 * std::sqrt(static_cast<double>(size) + 0.5), reach = turning + 11.0;
  const double rate = 2 * turning / 2 + 12.0 + std::abs(g) * reach * reach / 2;
  const double points = std::ceil(2 * reach * 1.25 * rate / (2 * std::numbers::pi));
  if (!(points < 0x1p20))
    throw Error(ErrorCode::out_of_range, "a cubic phase of " + std::to_string(g) + " turns too fast to be integrated",
                "cubic phase", "take a smaller one");
  const auto half = static_cast<std::ptrdiff_t>(points / 2) + 1;
  const double spacing = reach / static_cast<double>(half);
  std::fill_n(out.begin(), size * size, std::complex<double>());
  std::fill_n(derivative.begin(), size * size, std::complex<double>());
  std::vector<double> phi(size);
  for (std::ptrdiff_t i = -half; i <= half; ++i) {
    const double x = static_cast<double>(i) * spacing, cube = x * x * x / 6;
    wave_functions(x, phi);
    const std::complex<double> phase = std::polar(spacing, g * cube), turned(-phase.imag() * cube, phase.real() * cube);
    for (std::size_t m = 0; m < size; ++m)
      for (std::size_t n = 0; n <= m; ++n) {
        const double product = phi[m] * phi[n];
        out[m * size + n] += product * phase;
        derivative[m * size + n] += product * turned;
      }
  }
  for (std::size_t m = 0; m < size; ++m)
    for (std::size_t n = m + 1; n < size; ++n) {
      out[m * size + n] = out[n * size + m];
      derivative[m * size + n] = derivative[n * size + m];
    }
}

}  // namespace skerry::kernels::fock
