#include "ir/noise/matrices.hpp"

#include <bit>

namespace skerry::ir {

Matrix identity(std::uint32_t wires) {
  return pauli_string(0, wires);
}

Matrix pauli_matrix(char letter) {
  constexpr Complex i(0, 1);
  switch (letter) {
    case 'X':
      return {1, {0, 1, 1, 0}};
    case 'Y':
      return {1, {0, -i, i, 0}};
    case 'Z':
      return {1, {1, 0, 0, -1}};
    default:
      return {1, {1, 0, 0, 1}};
  }
}

Matrix pauli_string(std::uint32_t string, std::uint32_t wires) {
  const std::uint32_t rows = 1U << wires;
  std::uint32_t x = 0, z = 0;
  for (std::uint32_t w = 0; w < wires; ++w) {
    x |= (string >> (2 * w) & 1U) << w;
    z |= (string >> (2 * w + 1) & 1U) << w;
  }
  // P |c> = i^(number of Y) (-1)^(z . c) |c ^ x>.
  constexpr Complex powers[] = {1, {0, 1}, -1, {0, -1}};
  const Complex phase = powers[std::popcount(x & z) % 4];
  Matrix out{wires, std::vector<Complex>(std::size_t{rows} * rows)};
  for (std::uint32_t c = 0; c < rows; ++c)
    out.values[std::size_t{c ^ x} * rows + c] = std::popcount(z & c) % 2 == 0 ? phase : -phase;
  return out;
}

Matrix scaled(Matrix matrix, Complex factor) {
  for (Complex& value : matrix.values) value *= factor;
  return matrix;
}

Matrix product(const Matrix& a, const Matrix& b) {
  const std::size_t rows = std::size_t{1} << a.wires;
  Matrix out{a.wires, std::vector<Complex>(rows * rows)};
  for (std::size_t r = 0; r < rows; ++r)
    for (std::size_t m = 0; m < rows; ++m)
      for (std::size_t c = 0; c < rows; ++c)
        out.values[r * rows + c] += a.values[r * rows + m] * b.values[m * rows + c];
  return out;
}

}  // namespace skerry::ir
