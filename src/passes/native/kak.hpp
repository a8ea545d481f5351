/// \file
/// Two-wire unitaries: how many CX they need, and the circuit that has no more.
#pragma once

#include <array>
#include <vector>

#include "passes/native/matrix.hpp"

namespace skerry::passes::native {

/// u = exp(i phase) (left_first x left_second) exp(i(a XX + b YY + c ZZ)) (right_first x right_second).
///
/// Weyl chamber: pi/4 >= a >= b >= |c|, and c >= 0 where a = pi/4.
struct Kak {
  double a = 0, b = 0, c = 0;
  U2 left_first, left_second, right_first, right_second;
  double phase = 0;
};

/// Exact to rounding, also where coordinates coincide: the two real parts of the symmetric matrix in the magic basis
/// are diagonalised together. Source: Tucci, quant-ph/0507171; joint Jacobi angles: Cardoso & Souloumiac 1996.
Kak decompose(const U4& u);

/// exp(i(a XX + b YY + c ZZ)).
U4 canonical_gate(double a, double b, double c) noexcept;

/// Least number of CX, 0 to 3, for a gate and for the same gate followed by SWAP. Source: Shende, Bullock, Markov,
/// quant-ph/0308045, proposition III: traces of u (YY) u^T (YY).
struct CxNeeds {
  std::uint8_t plain = 0, mirrored = 0;
};
CxNeeds cx_needs(const U4& u) noexcept;

/// A quick look at traces: false when no coordinate is so near to a gate with fewer CX that it is worth decompose().
bool is_near_fewer_cx(const U4& u) noexcept;

/// A gate of a two-wire circuit: a CX, or a matrix on one wire.
struct TwoWireGate {
  enum class Kind : std::uint8_t { first, second, cx_from_first, cx_from_second };
  Kind kind{};
  U2 matrix;
};

/// A circuit for u with the least number of CX, phase included (it is part of the one-wire matrices).
std::vector<TwoWireGate> synthesize(const U4& u);

}  // namespace skerry::passes::native
