/// \file
/// One-wire unitaries as rotations.
#pragma once

#include "passes/native/matrix.hpp"

namespace skerry::passes::native {

/// u = exp(i phase) Rz(phi) Ry(theta) Rz(lambda), 0 <= theta <= pi; phi and lambda in (-2 pi, 2 pi].
struct Euler {
  double theta = 0, phi = 0, lambda = 0, phase = 0;
};

/// Exact to rounding for every unitary; where theta is 0 (pi) the whole turn is in phi and lambda is 0.
/// Source: Nielsen & Chuang 2010, theorem 4.1.
Euler euler_zyz(const U2& u) noexcept;

/// An angle in (-pi, pi].
double wrapped(double angle) noexcept;

/// Entries beside the diagonal (on the diagonal) are zero within `tolerance`.
bool is_diagonal(const U2& u, double tolerance = 1e-12) noexcept;
bool is_antidiagonal(const U2& u, double tolerance = 1e-12) noexcept;
/// u = exp(i phase) Rx(angle) for some angle: it commutes with X.
bool commutes_with_x(const U2& u, double tolerance = 1e-12) noexcept;
/// A multiple of the identity.
bool is_scalar(const U2& u, double tolerance = 1e-12) noexcept;

}  // namespace skerry::passes::native
