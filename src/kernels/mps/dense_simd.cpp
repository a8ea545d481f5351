// Complex rows on vector units, one source for every instruction set: a vector holds re im re im …, a product with a
// number m is re(m) x + (-im(m), im(m), …) * (x with neighbours exchanged).

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/mps/dense_simd.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>
#include <cmath>

#include "kernels/mps/dense.hpp"

HWY_BEFORE_NAMESPACE();
namespace skerry::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

#if HWY_TARGET != HWY_SCALAR

using D = hn::CappedTag<double, 8>;
using V = hn::Vec<D>;

HWY_INLINE V signed_im(double im) {
  return hn::OddEven(hn::Set(D(), im), hn::Set(D(), -im));
}
/// Doubles of a row that whole vectors cover.
HWY_INLINE std::size_t whole(std::size_t length) {
  return 2 * length / hn::Lanes(D()) * hn::Lanes(D());
}

HWY_INLINE Complex dot(const Complex* a, const Complex* b, std::size_t length) {
  const D d;
  const auto* const x = reinterpret_cast<const double*>(a);
  const auto* const y = reinterpret_cast<const double*>(b);
  auto real = hn::Zero(d), imaginary = hn::Zero(d);
  const std::size_t end = whole(length);
  for (std::size_t i = 0; i < end; i += hn::Lanes(d)) {
    const V u = hn::LoadU(d, x + i), v = hn::LoadU(d, y + i);
    real = hn::MulAdd(u, v, real);
    imaginary = hn::MulAdd(u, hn::Reverse2(d, v), imaginary);
  }
  // Even lanes hold re(a) im(b), odd lanes im(a) re(b), which counts negative.
  const V odd_negative = hn::OddEven(hn::Set(d, -1.0), hn::Set(d, 1.0));
  double re = hn::GetLane(hn::SumOfLanes(d, real));
  double im = hn::GetLane(hn::SumOfLanes(d, hn::Mul(imaginary, odd_negative)));
  for (std::size_t i = end; i < 2 * length; i += 2) {
    re += x[i] * y[i] + x[i + 1] * y[i + 1];
    im += x[i] * y[i + 1] - x[i + 1] * y[i];
  }
  return {re, im};
}

/// y <- y + m x.
HWY_INLINE void add_scaled(Complex m, const Complex* from, Complex* to, std::size_t length) {
  const D d;
  const auto* const x = reinterpret_cast<const double*>(from);
  auto* const y = reinterpret_cast<double*>(to);
  const V re = hn::Set(d, m.real()), im = signed_im(m.imag());
  const std::size_t end = whole(length);
  for (std::size_t i = 0; i < end; i += hn::Lanes(d)) {
    const V u = hn::LoadU(d, x + i);
    hn::StoreU(hn::MulAdd(re, u, hn::MulAdd(im, hn::Reverse2(d, u), hn::LoadU(d, y + i))), d, y + i);
  }
  for (std::size_t i = end; i < 2 * length; i += 2) {
    y[i] += m.real() * x[i] - m.imag() * x[i + 1];
    y[i + 1] += m.real() * x[i + 1] + m.imag() * x[i];
  }
}

/// p <- c p - s m q, q <- s p + c m q with |m| = 1.
HWY_INLINE void rotate(double c, double s, Complex m, Complex* p, Complex* q, std::size_t length) {
  const D d;
  auto* const x = reinterpret_cast<double*>(p);
  auto* const y = reinterpret_cast<double*>(q);
  const V cosine = hn::Set(d, c), sine = hn::Set(d, s);
  const V re = hn::Set(d, m.real()), im = signed_im(m.imag());
  const std::size_t end = whole(length);
  for (std::size_t i = 0; i < end; i += hn::Lanes(d)) {
    const V u = hn::LoadU(d, x + i), v = hn::LoadU(d, y + i);
    const V turned = hn::MulAdd(re, v, hn::Mul(im, hn::Reverse2(d, v)));
    hn::StoreU(hn::NegMulAdd(sine, turned, hn::Mul(cosine, u)), d, x + i);
    hn::StoreU(hn::MulAdd(sine, u, hn::Mul(cosine, turned)), d, y + i);
  }
  for (std::size_t i = end; i < 2 * length; i += 2) {
    const double a = x[i], b = x[i + 1];
    const double u = m.real() * y[i] - m.imag() * y[i + 1], v = m.real() * y[i + 1] + m.imag() * y[i];
    x[i] = c * a - s * u;
    x[i + 1] = c * b - s * v;
    y[i] = s * a + c * u;
    y[i + 1] = s * b + c * v;
  }
}

#else

HWY_INLINE Complex dot(const Complex* a, const Complex* b, std::size_t length) {
  Complex sum = 0;
  for (std::size_t i = 0; i < length; ++i) sum += std::conj(a[i]) * b[i];
  return sum;
}
HWY_INLINE void add_scaled(Complex m, const Complex* from, Complex* to, std::size_t length) {
  for (std::size_t i = 0; i < length; ++i) to[i] += m * from[i];
}
HWY_INLINE void rotate(double c, double s, Complex m, Complex* p, Complex* q, std::size_t length) {
  for (std::size_t i = 0; i < length; ++i) {
    const Complex u = p[i], v = m * q[i];
    p[i] = c * u - s * v;
    q[i] = s * u + c * v;
  }
}

#endif

void multiply_rows(std::size_t rows, std::size_t inner, std::size_t columns, const Complex* a, const Complex* b,
                   Complex* c) {
  std::fill_n(c, rows * columns, Complex(0));
  for (std::size_t i = 0; i < rows; ++i)
    for (std::size_t k = 0; k < inner; ++k) add_scaled(a[i * inner + k], b + k * columns, c + i * columns, columns);
}

Complex product(const Complex* a, const Complex* b, std::size_t length) {
  return dot(a, b, length);
}

void jacobi(Complex* rows, std::size_t count, std::size_t length, double floor, double* norms) {
  constexpr int kMaxSweeps = 40;  // ten suffice for any matrix seen
  constexpr double kOrthogonal = 4e-16;
  double total = 0;
  for (std::size_t i = 0; i < count; ++i) total += norms[i] = dot(rows + i * length, rows + i * length, length).real();
  for (int sweep = 0; sweep < kMaxSweeps; ++sweep) {
    bool is_done = true;
    for (std::size_t p = 0; p + 1 < count; ++p) {
      // The largest first, so that small rows are cleared of it at once (de Rijk).
      const std::size_t largest = static_cast<std::size_t>(std::max_element(norms + p, norms + count) - norms);
      if (largest != p) {
        std::swap_ranges(rows + p * length, rows + (p + 1) * length, rows + largest * length);
        std::swap(norms[p], norms[largest]);
      }
      for (std::size_t q = p + 1; q < count; ++q) {
        if (norms[q] <= floor * total) continue;
        const Complex gamma = dot(rows + p * length, rows + q * length, length);
        const double size = std::abs(gamma);
        if (!(size > kOrthogonal * std::sqrt(norms[p] * norms[q]))) continue;
        is_done = false;
        const double zeta = (norms[q] - norms[p]) / (2 * size);
        const double t = std::copysign(1.0, zeta) / (std::abs(zeta) + std::sqrt(1 + zeta * zeta));
        const double c = 1 / std::sqrt(1 + t * t);
        rotate(c, c * t, std::conj(gamma) / size, rows + p * length, rows + q * length, length);
        norms[p] -= t * size;
        norms[q] += t * size;
      }
    }
    // Updated norms drift: they are taken anew before they are believed.
    for (std::size_t i = 0; i < count; ++i) norms[i] = dot(rows + i * length, rows + i * length, length).real();
    if (is_done) return;
  }
}

std::size_t gram_schmidt(Complex* rows, std::size_t count, std::size_t length, Complex* factor) {
  // factor is count x count while it grows; the caller drops the columns that are not used.
  constexpr double kDependent = 1e-14;
  std::size_t found = 0;
  for (std::size_t i = 0; i < count; ++i) {
    Complex* const row = rows + i * length;
    const double before = std::sqrt(dot(row, row, length).real());
    for (int pass = 0; pass < 2; ++pass) {
      for (std::size_t j = 0; j < found; ++j) {
        const Complex part = dot(rows + j * length, row, length);
        factor[i * count + j] += part;
        add_scaled(-part, rows + j * length, row, length);
      }
    }
    const double norm = std::sqrt(dot(row, row, length).real());
    if (!(norm > kDependent * before)) continue;
    factor[i * count + found] = norm;
    Complex* const to = rows + found * length;
    for (std::size_t k = 0; k < length; ++k) to[k] = row[k] / norm;
    ++found;
  }
  return found;
}

}  // namespace HWY_NAMESPACE
}  // namespace skerry::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace skerry::kernels {
HWY_EXPORT(multiply_rows);
HWY_EXPORT(product);
HWY_EXPORT(jacobi);
HWY_EXPORT(gram_schmidt);

void multiply(std::size_t rows, std::size_t inner, std::size_t columns, const Complex* a, const Complex* b,
              Complex* c) {
  HWY_DYNAMIC_DISPATCH(multiply_rows)(rows, inner, columns, a, b, c);
}

Complex inner_product(const Complex* a, const Complex* b, std::size_t length) {
  return HWY_DYNAMIC_DISPATCH(product)(a, b, length);
}

void orthogonalize_rows(Complex* rows, std::size_t count, std::size_t length, double floor, std::span<double> norms) {
  HWY_DYNAMIC_DISPATCH(jacobi)(rows, count, length, floor, norms.data());
}

std::size_t orthonormalize_rows(Complex* rows, std::size_t count, std::size_t length, std::vector<Complex>& factor) {
  factor.assign(count * count, Complex(0));
  const std::size_t found = HWY_DYNAMIC_DISPATCH(gram_schmidt)(rows, count, length, factor.data());
  for (std::size_t i = 0; i < count; ++i)
    for (std::size_t j = 0; j < found; ++j) factor[i * found + j] = factor[i * count + j];
  factor.resize(count * found);
  return found;
}

}  // namespace skerry::kernels
#endif
