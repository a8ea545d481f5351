/// \file
/// Small dense matrices on a few wires: the algebra of Kraus operators.
#pragma once

#include <complex>
#include <cstdint>
#include <skerry/circuit.hpp>

namespace skerry::ir {

using Complex = std::complex<double>;

Matrix identity(std::uint32_t wires);
/// The 2 x 2 matrix of I, X, Y or Z.
Matrix pauli_matrix(char letter);
/// Tensor product of Pauli matrices; bits 2w and 2w + 1 of `string` say whether wire w has an X, a Z (both: Y).
Matrix pauli_string(std::uint32_t string, std::uint32_t wires);
/// factor * matrix.
Matrix scaled(Matrix matrix, Complex factor);
/// a b. Precondition: same size.
Matrix product(const Matrix& a, const Matrix& b);

}  // namespace skerry::ir
