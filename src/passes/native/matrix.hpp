/// \file
/// 2 x 2 and 4 x 4 complex matrices as small values, for the gates of one and two wires.
#pragma once

#include <array>
#include <cmath>
#include <complex>
#include <cstddef>

namespace skerry::passes::native {

using Complex = std::complex<double>;

/// a b without the tests for infinities that std::complex makes.
inline Complex times(Complex a, Complex b) noexcept {
  return {a.real() * b.real() - a.imag() * b.imag(), a.real() * b.imag() + a.imag() * b.real()};
}
inline Complex expi(double angle) noexcept {
  return {std::cos(angle), std::sin(angle)};
}

/// Row-major n x n.
template <std::size_t n>
struct Square {
  std::array<Complex, n * n> m{};

  static Square identity() noexcept {
    Square one;
    for (std::size_t i = 0; i < n; ++i) one.m[i * n + i] = 1.0;
    return one;
  }
  Complex operator()(std::size_t row, std::size_t column) const noexcept { return m[row * n + column]; }
  Complex& operator()(std::size_t row, std::size_t column) noexcept { return m[row * n + column]; }
  bool operator==(const Square&) const = default;
};

/// One wire.
using U2 = Square<2>;
/// Two wires: bit 0 of rows and columns is the first wire.
using U4 = Square<4>;

template <std::size_t n>
Square<n> operator*(const Square<n>& a, const Square<n>& b) noexcept {
  Square<n> product;
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t k = 0; k < n; ++k) {
      for (std::size_t j = 0; j < n; ++j) product(i, j) += times(a(i, k), b(k, j));
    }
  }
  return product;
}

template <std::size_t n>
Square<n> scaled(const Square<n>& a, Complex factor) noexcept {
  Square<n> out;
  for (std::size_t i = 0; i < n * n; ++i) out.m[i] = times(a.m[i], factor);
  return out;
}

/// The conjugate transpose, which undoes a unitary.
template <std::size_t n>
Square<n> adjoint(const Square<n>& a) noexcept {
  Square<n> out;
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j < n; ++j) out(i, j) = std::conj(a(j, i));
  }
  return out;
}

template <std::size_t n>
Complex trace(const Square<n>& a) noexcept {
  Complex sum;
  for (std::size_t i = 0; i < n; ++i) sum += a(i, i);
  return sum;
}

/// Largest difference of two entries.
template <std::size_t n>
double distance(const Square<n>& a, const Square<n>& b) noexcept {
  double most = 0;
  for (std::size_t i = 0; i < n * n; ++i) most = std::max(most, std::abs(a.m[i] - b.m[i]));
  return most;
}

/// `first` on the first wire and `second` on the second.
inline U4 kron(const U2& first, const U2& second) noexcept {
  U4 out;
  for (std::size_t i = 0; i < 4; ++i) {
    for (std::size_t j = 0; j < 4; ++j) out(i, j) = times(first(i & 1, j & 1), second(i >> 1, j >> 1));
  }
  return out;
}

/// g on the first (second) wire after u: rows are mixed in pairs.
inline void after_on_first(U4& u, const U2& g) noexcept {
  for (std::size_t row = 0; row < 4; row += 2) {
    for (std::size_t j = 0; j < 4; ++j) {
      const Complex a = u(row, j), b = u(row + 1, j);
      u(row, j) = times(g(0, 0), a) + times(g(0, 1), b);
      u(row + 1, j) = times(g(1, 0), a) + times(g(1, 1), b);
    }
  }
}
inline void after_on_second(U4& u, const U2& g) noexcept {
  for (std::size_t row = 0; row < 2; ++row) {
    for (std::size_t j = 0; j < 4; ++j) {
      const Complex a = u(row, j), b = u(row + 2, j);
      u(row, j) = times(g(0, 0), a) + times(g(0, 1), b);
      u(row + 2, j) = times(g(1, 0), a) + times(g(1, 1), b);
    }
  }
}
inline void swap_rows(U4& u, std::size_t a, std::size_t b) noexcept {
  for (std::size_t j = 0; j < 4; ++j) std::swap(u(a, j), u(b, j));
}
/// CX after u; the control is the first wire or the second.
inline void cx_after(U4& u, bool control_first) noexcept {
  if (control_first) {
    swap_rows(u, 1, 3);
  } else {
    swap_rows(u, 2, 3);
  }
}
inline void swap_after(U4& u) noexcept {
  swap_rows(u, 1, 2);
}
/// The same gate told with its wires in the other order.
inline U4 wires_exchanged(const U4& u) noexcept {
  constexpr std::array<std::size_t, 4> kPlace = {0, 2, 1, 3};
  U4 out;
  for (std::size_t i = 0; i < 4; ++i) {
    for (std::size_t j = 0; j < 4; ++j) out(kPlace[i], kPlace[j]) = u(i, j);
  }
  return out;
}

inline U2 rz_matrix(double angle) noexcept {
  return {{expi(-angle / 2), 0, 0, expi(angle / 2)}};
}
inline U2 ry_matrix(double angle) noexcept {
  return {{std::cos(angle / 2), -std::sin(angle / 2), std::sin(angle / 2), std::cos(angle / 2)}};
}
inline U2 rx_matrix(double angle) noexcept {
  const Complex s(0, -std::sin(angle / 2));
  return {{std::cos(angle / 2), s, s, std::cos(angle / 2)}};
}
inline U2 h_matrix() noexcept {
  constexpr double kHalf = 0.70710678118654752440;
  return {{kHalf, kHalf, kHalf, -kHalf}};
}
inline U2 x_matrix() noexcept {
  return {{0, 1, 1, 0}};
}

}  // namespace skerry::passes::native
