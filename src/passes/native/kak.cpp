#include "passes/native/kak.hpp"

#include <algorithm>
#include <numbers>

namespace skerry::passes::native {
namespace {

constexpr double kPi = std::numbers::pi;
using Real4 = std::array<std::array<double, 4>, 4>;

// Columns are Bell states, so that SU(2) x SU(2) becomes SO(4) and XX, YY, ZZ become diagonal: (e0 + e3, i(e1 + e2),
// e1 - e2, i(e0 - e3)) / sqrt 2. Source: Makhlin, quant-ph/0002045. Each has two entries, so nothing is multiplied out.
constexpr double kHalfRoot = 0.70710678118654752440;

Complex times_i(Complex z) noexcept {
  return {-z.imag(), z.real()};
}
Complex times_minus_i(Complex z) noexcept {
  return {z.imag(), -z.real()};
}

// Eigenvalues of XX, YY, ZZ on them.
constexpr std::array<double, 4> kXx = {1, 1, -1, -1};
constexpr std::array<double, 4> kYy = {-1, 1, -1, 1};
constexpr std::array<double, 4> kZz = {1, -1, -1, 1};

U4 into_magic(const U4& u) noexcept {
  U4 rows, out;
  for (std::size_t j = 0; j < 4; ++j) {
    rows(0, j) = u(0, j) + u(3, j);
    rows(1, j) = times_minus_i(u(1, j) + u(2, j));
    rows(2, j) = u(1, j) - u(2, j);
    rows(3, j) = times_minus_i(u(0, j) - u(3, j));
  }
  for (std::size_t i = 0; i < 4; ++i) {
    out(i, 0) = 0.5 * (rows(i, 0) + rows(i, 3));
    out(i, 1) = 0.5 * times_i(rows(i, 1) + rows(i, 2));
    out(i, 2) = 0.5 * (rows(i, 1) - rows(i, 2));
    out(i, 3) = 0.5 * times_i(rows(i, 0) - rows(i, 3));
  }
  return out;
}
U4 out_of_magic(const U4& u) noexcept {
  U4 rows, out;
  for (std::size_t j = 0; j < 4; ++j) {
    rows(0, j) = u(0, j) + times_i(u(3, j));
    rows(1, j) = times_i(u(1, j)) + u(2, j);
    rows(2, j) = times_i(u(1, j)) - u(2, j);
    rows(3, j) = u(0, j) - times_i(u(3, j));
  }
  for (std::size_t i = 0; i < 4; ++i) {
    out(i, 0) = 0.5 * (rows(i, 0) + times_minus_i(rows(i, 3)));
    out(i, 1) = 0.5 * (times_minus_i(rows(i, 1)) + rows(i, 2));
    out(i, 2) = 0.5 * (times_minus_i(rows(i, 1)) - rows(i, 2));
    out(i, 3) = 0.5 * (rows(i, 0) - times_minus_i(rows(i, 3)));
  }
  return out;
}

double determinant(const Real4& r) noexcept {
  const auto minor3 = [&r](std::size_t skip) {
    std::array<std::size_t, 3> c{};
    for (std::size_t i = 0, k = 0; i < 4; ++i) {
      if (i != skip) c[k++] = i;
    }
    return r[1][c[0]] * (r[2][c[1]] * r[3][c[2]] - r[2][c[2]] * r[3][c[1]]) -
           r[1][c[1]] * (r[2][c[0]] * r[3][c[2]] - r[2][c[2]] * r[3][c[0]]) +
           r[1][c[2]] * (r[2][c[0]] * r[3][c[1]] - r[2][c[1]] * r[3][c[0]]);
  };
  return r[0][0] * minor3(0) - r[0][1] * minor3(1) + r[0][2] * minor3(2) - r[0][3] * minor3(3);
}

// Turns both symmetric matrices and the basis p by the plane rotation (i, j).
void turn(std::array<Real4, 2>& both, Real4& p, std::size_t i, std::size_t j, double c, double s) noexcept {
  for (Real4& a : both) {
    for (std::size_t k = 0; k < 4; ++k) {
      const double x = a[k][i], y = a[k][j];
      a[k][i] = c * x + s * y;
      a[k][j] = c * y - s * x;
    }
    for (std::size_t k = 0; k < 4; ++k) {
      const double x = a[i][k], y = a[j][k];
      a[i][k] = c * x + s * y;
      a[j][k] = c * y - s * x;
    }
  }
  for (std::size_t k = 0; k < 4; ++k) {
    const double x = p[k][i], y = p[k][j];
    p[k][i] = c * x + s * y;
    p[k][j] = c * y - s * x;
  }
}

// Orthogonal p, determinant 1, such that p^T (both) p is diagonal; they commute.
Real4 diagonalise_together(std::array<Real4, 2>& both) noexcept {
  Real4 p{};
  for (std::size_t i = 0; i < 4; ++i) p[i][i] = 1;
  constexpr int kSweeps = 30;  // five are usual
  for (int sweep = 0; sweep < kSweeps; ++sweep) {
    bool moved = false;
    for (std::size_t i = 0; i < 3; ++i) {
      for (std::size_t j = i + 1; j < 4; ++j) {
        double on = 0, off = 0, beside = 0;
        for (const Real4& a : both) {
          const double difference = a[i][i] - a[j][j], twice = 2 * a[i][j];
          on += difference * difference - twice * twice;
          off += 2 * difference * twice;
          beside += a[i][j] * a[i][j];
        }
        if (beside < 1e-31) continue;
        const double angle = 0.25 * std::atan2(off, on);
        const double s = std::sin(angle);
        if (std::abs(s) < 1e-16) continue;
        turn(both, p, i, j, std::cos(angle), s);
        moved = true;
      }
    }
    if (!moved) break;
  }
  if (determinant(p) < 0) {
    for (auto& row : p) row[0] = -row[0];
  }
  return p;
}

// A product of one-wire gates taken apart; both factors get determinant 1, the rest is phase.
void take_apart(const U4& product, U2& first, U2& second, double& phase) noexcept {
  // The block of the second wire with the largest weight is a multiple of the first factor.
  std::size_t row = 0, column = 0;
  double most = -1;
  for (std::size_t r = 0; r < 2; ++r) {
    for (std::size_t c = 0; c < 2; ++c) {
      const double weight = std::norm(product(2 * r, 2 * c)) + std::norm(product(2 * r, 2 * c + 1));
      if (weight > most) {
        most = weight;
        row = r;
        column = c;
      }
    }
  }
  for (std::size_t i = 0; i < 2; ++i) {
    for (std::size_t j = 0; j < 2; ++j) first(i, j) = product(2 * row + i, 2 * column + j);
  }
  first = scaled(first, 1.0 / std::sqrt(times(first(0, 0), first(1, 1)) - times(first(0, 1), first(1, 0))));
  const U2 undo = adjoint(first);
  for (std::size_t r = 0; r < 2; ++r) {
    for (std::size_t c = 0; c < 2; ++c) {
      Complex sum;
      for (std::size_t i = 0; i < 2; ++i) {
        for (std::size_t j = 0; j < 2; ++j) sum += times(undo(j, i), product(2 * r + i, 2 * c + j));
      }
      second(r, c) = 0.5 * sum;
    }
  }
  const Complex root = std::sqrt(times(second(0, 0), second(1, 1)) - times(second(0, 1), second(1, 0)));
  phase += std::arg(root);
  second = scaled(second, 1.0 / root);
}

const std::array<U2, 3>& paulis() {
  static const std::array<U2, 3> kPaulis = {
      {U2{{0, 1, 1, 0}}, U2{{0, Complex(0, -1), Complex(0, 1), 0}}, U2{{1, 0, 0, -1}}}};
  return kPaulis;
}

// Moves coordinates into the chamber; each step is a local gate put left and right.
class Chamber {
 public:
  explicit Chamber(Kak& kak) : kak_(kak), t_{kak.a, kak.b, kak.c} {}

  void enter() {
    for (std::size_t i = 0; i < 3; ++i) shift(i, -std::round(t_[i] / (kPi / 2)));
    if (std::abs(t_[0]) < std::abs(t_[1])) exchange(0, 1);
    if (std::abs(t_[1]) < std::abs(t_[2])) exchange(1, 2);
    if (std::abs(t_[0]) < std::abs(t_[1])) exchange(0, 1);
    if (t_[0] < 0) negate(0, 2);
    if (t_[1] < 0) negate(1, 2);
    // On the face a = pi/4, c and -c are one class.
    if (t_[0] > kPi / 4 - 1e-9 && t_[2] < 0) {
      shift(0, -1);
      negate(0, 2);
    }
    kak_.a = t_[0];
    kak_.b = t_[1];
    kak_.c = t_[2];
  }

 private:
  // exp(i (t + k pi/2) PP) = exp(i t PP) (i PP)^k.
  void shift(std::size_t axis, double steps) {
    const auto k = static_cast<int>(steps);
    if (k == 0) return;
    t_[axis] += k * (kPi / 2);
    kak_.phase -= k * (kPi / 2);
    if (k % 2 == 0) return;
    kak_.right_first = paulis()[axis] * kak_.right_first;
    kak_.right_second = paulis()[axis] * kak_.right_second;
  }
  // Both signs change under a Pauli of the third axis on the first wire.
  void negate(std::size_t i, std::size_t j) {
    t_[i] = -t_[i];
    t_[j] = -t_[j];
    const U2& pauli = paulis()[3 - i - j];
    kak_.left_first = kak_.left_first * pauli;
    kak_.right_first = pauli * kak_.right_first;
  }
  // A quarter turn about the third axis on both wires exchanges the two: the signs of P1 P1 and P2 P2 stay.
  void exchange(std::size_t i, std::size_t j) {
    std::swap(t_[i], t_[j]);
    const U2& axis = paulis()[3 - i - j];
    U2 quarter = scaled(axis, Complex(0, -kHalfRoot)), back = scaled(axis, Complex(0, kHalfRoot));
    for (const std::size_t d : {std::size_t{0}, std::size_t{3}}) {
      quarter.m[d] += kHalfRoot;
      back.m[d] += kHalfRoot;
    }
    kak_.left_first = kak_.left_first * back;
    kak_.left_second = kak_.left_second * back;
    kak_.right_first = quarter * kak_.right_first;
    kak_.right_second = quarter * kak_.right_second;
  }

  Kak& kak_;
  std::array<double, 3> t_;
};

Complex determinant(const U4& u) noexcept {
  const auto two = [&u](std::size_t r, std::size_t i, std::size_t j) {
    return times(u(r, i), u(r + 1, j)) - times(u(r, j), u(r + 1, i));
  };
  return times(two(0, 0, 1), two(2, 2, 3)) - times(two(0, 0, 2), two(2, 1, 3)) + times(two(0, 0, 3), two(2, 1, 2)) +
         times(two(0, 1, 2), two(2, 0, 3)) - times(two(0, 1, 3), two(2, 0, 2)) + times(two(0, 2, 3), two(2, 0, 1));
}

}  // namespace

U4 canonical_gate(double a, double b, double c) noexcept {
  U4 diagonal;
  for (std::size_t k = 0; k < 4; ++k) diagonal(k, k) = expi(a * kXx[k] + b * kYy[k] + c * kZz[k]);
  return out_of_magic(diagonal);
}

Kak decompose(const U4& u) {
  Kak kak;
  const double quarter = std::arg(determinant(u)) / 4;
  kak.phase = quarter;
  const U4 m = into_magic(scaled(u, expi(-quarter)));
  U4 transposed;
  for (std::size_t i = 0; i < 4; ++i) {
    for (std::size_t j = 0; j < 4; ++j) transposed(i, j) = m(j, i);
  }
  const U4 square = transposed * m;
  std::array<Real4, 2> parts{};
  for (std::size_t i = 0; i < 4; ++i) {
    for (std::size_t j = 0; j < 4; ++j) {
      parts[0][i][j] = (square(i, j).real() + square(j, i).real()) / 2;
      parts[1][i][j] = (square(i, j).imag() + square(j, i).imag()) / 2;
    }
  }
  const Real4 p = diagonalise_together(parts);
  std::array<double, 4> angle{};
  double sum = 0;
  for (std::size_t k = 0; k < 4; ++k) sum += angle[k] = std::atan2(parts[1][k][k], parts[0][k][k]) / 2;
  // det m = 1 asks the angles to add up to a whole turn; they may miss it by a half.
  if (std::abs(std::remainder(sum, 2 * kPi)) > kPi / 2) angle[0] += kPi;
  U4 basis, left;
  for (std::size_t i = 0; i < 4; ++i) {
    for (std::size_t j = 0; j < 4; ++j) basis(i, j) = p[j][i];  // p^T
  }
  for (std::size_t i = 0; i < 4; ++i) {
    for (std::size_t k = 0; k < 4; ++k) {
      Complex entry;
      for (std::size_t j = 0; j < 4; ++j) entry += m(i, j) * p[j][k];
      left(i, k) = times(entry, expi(-angle[k]));
    }
  }
  take_apart(out_of_magic(left), kak.left_first, kak.left_second, kak.phase);
  take_apart(out_of_magic(basis), kak.right_first, kak.right_second, kak.phase);
  const auto along = [&angle](const std::array<double, 4>& sign) {
    return (sign[0] * angle[0] + sign[1] * angle[1] + sign[2] * angle[2] + sign[3] * angle[3]) / 4;
  };
  kak.a = along(kXx);
  kak.b = along(kYy);
  kak.c = along(kZz);
  kak.phase += (angle[0] + angle[1] + angle[2] + angle[3]) / 4;
  Chamber(kak).enter();
  return kak;
}

namespace {

// gamma(u) = u (YY) u^T (YY), and its trace for det u = 1 up to sign; YY has -1, 1, 1, -1 on its other diagonal.
struct Gamma {
  U4 matrix;
  Complex unit, trace;
};
Gamma gamma_of(const U4& g) noexcept {
  constexpr std::array<double, 4> kSign = {-1, 1, 1, -1};
  Gamma out;
  for (std::size_t i = 0; i < 4; ++i) {
    for (std::size_t j = 0; j < 4; ++j) {
      Complex sum;
      for (std::size_t k = 0; k < 4; ++k) sum += kSign[k] * times(g(i, k), g(j, 3 - k));
      out.matrix(i, 3 - j) = sum * kSign[j];
    }
  }
  // |det| = 1, so its root is turned back by its conjugate.
  out.unit = std::conj(std::sqrt(determinant(g)));
  out.trace = times(native::trace(out.matrix), out.unit);
  return out;
}

}  // namespace

bool is_near_fewer_cx(const U4& u) noexcept {
  const Complex t = gamma_of(u).trace;
  constexpr double kSlack = 0.02;
  if (std::abs(t.imag()) > kSlack) return false;
  return std::abs(t.imag()) > 1e-9 || std::abs(t.real()) > 4 - kSlack || std::abs(t.real()) < kSlack;
}

CxNeeds cx_needs(const U4& u) noexcept {
  const auto class_of = [](const U4& g) -> std::uint8_t {
    constexpr double kTolerance = 1e-9;
    const Gamma found = gamma_of(g);
    const U4& gamma = found.matrix;
    const Complex unit = found.unit, t = found.trace;
    const auto is_multiple_of_identity = [](const U4& x) {
      for (std::size_t i = 0; i < 4; ++i) {
        for (std::size_t j = 0; j < 4; ++j) {
          if (std::norm(i == j ? x(i, i) - x(0, 0) : x(i, j)) > kTolerance * kTolerance) return false;
        }
      }
      return true;
    };
    // Traces are blind to small turns, which change them in second order only; entries are not.
    if (std::abs(t.imag()) < kTolerance && is_multiple_of_identity(gamma)) return 0;  // SWAP has 4i
    if (std::abs(t) < kTolerance) {
      const U4 square = gamma * gamma;
      if (is_multiple_of_identity(square) && times(square(0, 0), times(unit, unit)).real() < 0) return 1;
    }
    if (std::abs(t.imag()) < kTolerance) return 2;
    return 3;
  };
  U4 mirrored = u;
  swap_after(mirrored);
  return {class_of(u), class_of(mirrored)};
}

namespace {

using Step = TwoWireGate::Kind;

// The interior of the circuit for canonical coordinates, phase left out. Three CX: Vatan & Williams,
// quant-ph/0308006, fig. 6. Two: CX (Rx(-2a) x Rz(-2b)) CX is exp(i(a XX + b ZZ)). One: CX is exp(i pi/4 ZX) and turns.
std::vector<TwoWireGate> interior(double a, double b, double c, int cx) {
  if (cx == 3) {
    return {{Step::second, rz_matrix(-kPi / 2)},
            {Step::cx_from_second, {}},
            {Step::first, rz_matrix(kPi / 2 - 2 * c)},
            {Step::second, ry_matrix(2 * a - kPi / 2)},
            {Step::cx_from_first, {}},
            {Step::second, ry_matrix(kPi / 2 - 2 * b)},
            {Step::cx_from_second, {}},
            {Step::first, rz_matrix(kPi / 2)}};
  }
  if (cx == 2) {
    // A quarter turn about X takes ZZ to YY.
    return {{Step::first, rx_matrix(-kPi / 2)}, {Step::second, rx_matrix(-kPi / 2)}, {Step::cx_from_first, {}},
            {Step::first, rx_matrix(-2 * a)},   {Step::second, rz_matrix(-2 * b)},   {Step::cx_from_first, {}},
            {Step::first, rx_matrix(kPi / 2)},  {Step::second, rx_matrix(kPi / 2)}};
  }
  if (cx == 1) {
    return {{Step::first, h_matrix()},
            {Step::cx_from_first, {}},
            {Step::first, h_matrix() * rz_matrix(-kPi / 2)},
            {Step::second, rx_matrix(-kPi / 2)}};
  }
  return {};
}

U4 product_of(const std::vector<TwoWireGate>& gates) noexcept {
  U4 u = U4::identity();
  for (const TwoWireGate& gate : gates) {
    switch (gate.kind) {
      case Step::first:
        after_on_first(u, gate.matrix);
        break;
      case Step::second:
        after_on_second(u, gate.matrix);
        break;
      case Step::cx_from_first:
        cx_after(u, true);
        break;
      case Step::cx_from_second:
        cx_after(u, false);
        break;
    }
  }
  return u;
}

int cx_of(const Kak& kak) noexcept {
  constexpr double kTolerance = 1e-9;
  if (std::abs(kak.c) > kTolerance) return 3;
  if (kak.b > kTolerance) return 2;
  if (kak.a <= kTolerance) return 0;
  return std::abs(kak.a - kPi / 4) <= kTolerance ? 1 : 2;
}

}  // namespace

std::vector<TwoWireGate> synthesize(const U4& u) {
  const Kak kak = decompose(u);
  std::vector<TwoWireGate> inside = interior(kak.a, kak.b, kak.c, cx_of(kak));
  std::vector<TwoWireGate> out;
  out.reserve(inside.size() + 4);
  out.push_back({Step::first, kak.right_first});
  out.push_back({Step::second, kak.right_second});
  out.insert(out.end(), inside.begin(), inside.end());
  out.push_back({Step::first, kak.left_first});
  out.push_back({Step::second, kak.left_second});
  const U4 made = product_of(out);
  Complex off;
  for (std::size_t i = 0; i < 16; ++i) off += times(std::conj(made.m[i]), u.m[i]);
  out.back().matrix = scaled(out.back().matrix, off / std::abs(off));
  return out;
}

}  // namespace skerry::passes::native
