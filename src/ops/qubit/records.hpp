/// \file
/// What the files of the gate records share: the declarations of all records and the words their matrices are written
/// in.
#pragma once

#include <algorithm>
#include <cmath>
#include <complex>
#include <initializer_list>
#include <numbers>

#include "ops/qubit/gate_record.hpp"

namespace skerry::ops {

#define SKERRY_GATE(name, targets, parameters) extern const GateRecord gate_##name;
#include <skerry/gates.def>
#undef SKERRY_GATE

using Complex = std::complex<double>;
inline constexpr Complex kI{0.0, 1.0};
inline constexpr double kSqrtHalf = std::numbers::sqrt2 / 2;

/// A rotation exp(-i theta/2 G) with G^2 = 1; controlled, its generator also has the eigenvalue 0.
inline constexpr Spectrum kRotationSpectrum[] = {{1.0, 1}};
inline constexpr Spectrum kControlledRotationSpectrum[] = {{0.5, 2}};

/// exp(i angle).
inline Complex expi(double angle) {
  return {std::cos(angle), std::sin(angle)};
}
/// Writes a matrix given row by row, the first target least significant in rows and columns.
inline void assign(std::span<Complex> out, std::initializer_list<Complex> entries) {
  std::copy(entries.begin(), entries.end(), out.begin());
}

}  // namespace skerry::ops
