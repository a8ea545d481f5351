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
