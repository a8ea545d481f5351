#include "passes/native/euler.hpp"

#include <numbers>

namespace skerry::passes::native {

namespace {
constexpr double kPi = std::numbers::pi;
// Below this an entry is rounding: its argument means nothing.
constexpr double kNothing = 1e-13;
}  // namespace

double wrapped(double angle) noexcept {
  if (angle > -kPi && angle <= kPi) return angle;
  const double turned = std::remainder(angle, 2 * kPi);
  return turned <= -kPi ? turned + 2 * kPi : turned;
}

Euler euler_zyz(const U2& u) noexcept {
  const double c = std::sqrt(std::norm(u(0, 0)) + std::norm(u(1, 1)));
  const double s = std::sqrt(std::norm(u(0, 1)) + std::norm(u(1, 0)));
  Euler out;
  out.theta = 2 * std::atan2(s, c);
  // u(1,1) / u(0,0) turns by phi + lambda, -u(1,0) / u(0,1) by phi - lambda.
  if (s <= kNothing) {
    out.theta = 0;
    out.phi = std::arg(times(u(1, 1), std::conj(u(0, 0))));
    out.phase = std::arg(u(0, 0)) + out.phi / 2;
    return out;
  }
  if (c <= kNothing) {
    out.theta = kPi;
    out.phi = std::arg(times(u(1, 0), std::conj(-u(0, 1))));
    out.phase = std::arg(u(1, 0)) - out.phi / 2;
    return out;
  }
  // exp(i phase) (cos exp(-i(phi + lambda)/2), -sin exp(-i(phi - lambda)/2); sin exp(i(phi - lambda)/2), ...). The
  // larger pair of entries tells the phase: of the smaller one may be left nothing but rounding.
  double sum = 0, difference = 0;
  if (s <= c) {
    sum = std::arg(times(u(1, 1), std::conj(u(0, 0))));
    out.phase = std::arg(u(0, 0)) + sum / 2;
    difference = 2 * (std::arg(u(1, 0)) - out.phase);
  } else {
    difference = std::arg(times(u(1, 0), std::conj(-u(0, 1))));
    out.phase = std::arg(u(1, 0)) - difference / 2;
    sum = 2 * (std::arg(u(1, 1)) - out.phase);
  }
  out.phi = (sum + difference) / 2;
  out.lambda = (sum - difference) / 2;
  return out;
}

namespace {
// Without the square root that std::abs takes.
bool is_small(Complex z, double tolerance) noexcept {
  return std::norm(z) <= tolerance * tolerance;
}
}  // namespace

bool is_diagonal(const U2& u, double tolerance) noexcept {
  return is_small(u(0, 1), tolerance) && is_small(u(1, 0), tolerance);
}
bool is_antidiagonal(const U2& u, double tolerance) noexcept {
  return is_small(u(0, 0), tolerance) && is_small(u(1, 1), tolerance);
}
bool commutes_with_x(const U2& u, double tolerance) noexcept {
  return is_small(u(0, 0) - u(1, 1), tolerance) && is_small(u(0, 1) - u(1, 0), tolerance);
}
bool is_scalar(const U2& u, double tolerance) noexcept {
  return is_diagonal(u, tolerance) && is_small(u(0, 0) - u(1, 1), tolerance);
}

}  // namespace skerry::passes::native
