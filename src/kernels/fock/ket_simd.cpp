// Kernels on blocks of kets, one source for every instruction set, chosen at run time. A vector is one real or
// imaginary part of one amplitude of all lanes, so that no kernel ever exchanges lanes; matrix entries are broadcast.

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/fock/ket_simd.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>
#include <cmath>
#include <type_traits>

#include "kernels/fock/ket.hpp"

HWY_BEFORE_NAMESPACE();
namespace skerry::kernels::fock {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

template <class D>
using Number = hn::TFromD<D>;

/// R rows of a matrix times the vectors at x: the register tile of every gate.
template <std::uint32_t R, bool IsComplex, class D>
HWY_INLINE void tile(D d, const Number<D>* m, std::uint32_t size, const Number<D>* x, std::ptrdiff_t step,
                     hn::Vec<D> (&re)[R], hn::Vec<D> (&im)[R]) {
  const std::size_t lanes = hn::Lanes(d);
  for (std::uint32_t r = 0; r < R; ++r) re[r] = im[r] = hn::Zero(d);
  for (std::uint32_t n = 0; n < size; ++n, x += step, m += IsComplex ? 2 * R : R) {
    const auto xr = hn::Load(d, x), xi = hn::Load(d, x + lanes);
    for (std::uint32_t r = 0; r < R; ++r) {
      const auto mr = hn::Set(d, m[r]);
      re[r] = hn::MulAdd(mr, xr, re[r]);
      im[r] = hn::MulAdd(mr, xi, im[r]);
      if constexpr (IsComplex) {
        const auto mi = hn::Set(d, m[R + r]);
        re[r] = hn::NegMulAdd(mi, xi, re[r]);
        im[r] = hn::MulAdd(mi, xr, im[r]);
      }
    }
  }
}

template <std::uint32_t R, bool IsComplex, class D>
HWY_INLINE void store_tile(D d, const Number<D>* m, std::uint32_t size, const Number<D>* x, std::ptrdiff_t step,
                           Number<D>* y) {
  hn::Vec<D> re[R], im[R];
  tile<R, IsComplex>(d, m, size, x, step, re, im);
  for (std::uint32_t r = 0; r < R; ++r, y += step) {
    hn::Store(re[r], d, y);
    hn::Store(im[r], d, y + hn::Lanes(d));
  }
}

template <bool IsComplex, class D>
HWY_INLINE void apply_block(D d, const MatrixBlock& block, const Number<D>* matrix, const Number<D>* x, Number<D>* y) {
  const std::ptrdiff_t step = block.stride * static_cast<std::ptrdiff_t>(2 * hn::Lanes(d));
  for (std::uint32_t row = 0; row < block.size;) {
    const std::uint32_t rows = tile_rows(row, block.size);
    if (rows == 4) store_tile<4, IsComplex>(d, matrix, block.size, x, step, y);
    if (rows == 3) store_tile<3, IsComplex>(d, matrix, block.size, x, step, y);
    if (rows == 2) store_tile<2, IsComplex>(d, matrix, block.size, x, step, y);
    if (rows == 1) store_tile<1, IsComplex>(d, matrix, block.size, x, step, y);
    row += rows;
    matrix += (IsComplex ? 2 : 1) * rows * block.size;
    y += rows * step;
  }
}

template <bool IsComplex, class D>
void apply_gate(D d, const MatrixGate<Number<D>>& gate, bool adjoint, const Number<D>* source, Number<D>* target) {
  const auto pair = static_cast<std::ptrdiff_t>(2 * hn::Lanes(d));
  const Number<D>* matrices = adjoint ? gate.adjoint.data() : gate.forward.data();
  for (const MatrixBlock& block : gate.blocks)
    for (const std::ptrdiff_t column : gate.columns) {
      const std::ptrdiff_t at = (column + block.offset) * pair;
      apply_block<IsComplex>(d, block, matrices + (adjoint ? block.adjoint : block.forward), source + at, target + at);
    }
}

template <class D>
HWY_INLINE hn::Vec<D> real_link(D d, const Number<D>* lambda, const Number<D>* psi) {
  const std::size_t l = hn::Lanes(d);
  return hn::MulAdd(hn::Load(d, lambda + l), hn::Load(d, psi + l), hn::Mul(hn::Load(d, lambda), hn::Load(d, psi)));
}

/// Im(conj(lambda) psi).
template <class D>
HWY_INLINE hn::Vec<D> imaginary_link(D d, const Number<D>* lambda, const Number<D>* psi) {
  const std::size_t l = hn::Lanes(d);
  return hn::NegMulAdd(hn::Load(d, lambda + l), hn::Load(d, psi), hn::Mul(hn::Load(d, lambda), hn::Load(d, psi + l)));
}

/// e (conj(lambda_i) psi_{i-1} - conj(lambda_{i-1}) psi_i), with phases if they are complex; the pointers are at i - 1.
template <bool IsComplex, class D>
HWY_INLINE hn::Vec<D> inner_link(D d, const Number<D>* e, std::ptrdiff_t step, const Number<D>* psi,
                                 const Number<D>* lambda, hn::Vec<D> sum) {
  const auto re = hn::Sub(real_link(d, lambda + step, psi), real_link(d, lambda, psi + step));
  sum = hn::MulAdd(hn::Set(d, e[0]), re, sum);
  if constexpr (IsComplex) {
    const auto im = hn::Add(imaginary_link(d, lambda + step, psi), imaginary_link(d, lambda, psi + step));
    sum = hn::NegMulAdd(hn::Set(d, e[1]), im, sum);
  }
  return sum;
}

/// All links inside one block. Four sums, so that additions need not wait for each other.
template <bool IsComplex, class D>
HWY_INLINE void inner_links(D d, const Number<D>* e, std::uint32_t size, std::ptrdiff_t step, const Number<D>* psi,
                            const Number<D>* lambda, hn::Vec<D> (&sums)[4]) {
  const auto add = [&](std::uint32_t i, hn::Vec<D>& sum) HWY_ATTR {
    const std::ptrdiff_t at = (static_cast<std::ptrdiff_t>(i) - 1) * step;
    sum = inner_link<IsComplex>(d, e + std::size_t{2} * i, step, psi + at, lambda + at, sum);
  };
  std::uint32_t i = 1;
  for (; i + 4 <= size; i += 4) {
    add(i, sums[0]);
    add(i + 1, sums[1]);
    add(i + 2, sums[2]);
    add(i + 3, sums[3]);
  }
  if (i < size) add(i, sums[0]);
  if (i + 1 < size) add(i + 1, sums[1]);
  if (i + 2 < size) add(i + 2, sums[2]);
}

/// The link between a padding row, whose lambda is 0, and its neighbour.
template <bool IsComplex, class D>
HWY_INLINE hn::Vec<D> padding_link(D d, const Number<D>* row, const Number<D>* e, std::uint32_t size,
                                   std::ptrdiff_t step, const Number<D>* before, const Number<D>* lambda, bool is_low,
                                   hn::Vec<D> sum) {
  hn::Vec<D> re[1], im[1];
  tile<1, IsComplex>(d, row, size, before, step, re, im);
  const auto lr = hn::Load(d, lambda), li = hn::Load(d, lambda + hn::Lanes(d));
  const auto real = hn::MulAdd(li, im[0], hn::Mul(lr, re[0]));
  const auto imaginary = hn::NegMulAdd(li, re[0], hn::Mul(lr, im[0]));
  const auto factor = hn::Set(d, is_low ? e[0] : -e[0]);
  return hn::NegMulAdd(hn::Set(d, e[1]), imaginary, hn::MulAdd(factor, real, sum));
}

template <bool IsComplex, bool LinksComplex, class D>
void link_gradient(D d, const MatrixGate<Number<D>>& gate, const Number<D>* before, const Number<D>* after,
                   const Number<D>* lambda, Number<D>* out) {
  const auto pair = static_cast<std::ptrdiff_t>(2 * hn::Lanes(d));
  hn::Vec<D> sums[4] = {hn::Zero(d), hn::Zero(d), hn::Zero(d), hn::Zero(d)};
  auto low = hn::Zero(d), high = hn::Zero(d);
  for (const MatrixBlock& block : gate.blocks) {
    const std::ptrdiff_t step = block.stride * pair;
    const Number<D>* links = gate.links.data() + block.links;
    for (const std::ptrdiff_t column : gate.columns) {
      const std::ptrdiff_t at = (column + block.offset) * pair;
      inner_links<LinksComplex>(d, links, block.size, step, after + at, lambda + at, sums);
      const Number<D>* row = gate.padding.data() + block.padding;
      if (block.low_rows != 0) {
        low = padding_link<IsComplex>(d, row, links, block.size, step, before + at, lambda + at, true, low);
        row += (IsComplex ? 2 : 1) * block.size;
      }
      if (block.high_rows != 0)
        high = padding_link<IsComplex>(d, row, links + std::size_t{2} * block.size, block.size, step, before + at,
                                       lambda + at + (block.size - 1) * step, false, high);
    }
  }
  const auto sum = hn::Add(hn::Add(hn::Add(sums[0], sums[1]), hn::Add(sums[2], sums[3])), hn::Add(low, high));
  hn::Store(hn::Add(sum, sum), d, out);
}

template <std::uint32_t R, bool IsComplex, class D>
HWY_INLINE hn::Vec<D> overlap_tile(D d, const Number<D>* m, std::uint32_t size, const Number<D>* x, std::ptrdiff_t step,
                                   const Number<D>* lambda, hn::Vec<D> sum) {
  hn::Vec<D> re[R], im[R];
  tile<R, IsComplex>(d, m, size, x, step, re, im);
  for (std::uint32_t r = 0; r < R; ++r, lambda += step) {
    sum = hn::MulAdd(hn::Load(d, lambda), re[r], sum);
    sum = hn::MulAdd(hn::Load(d, lambda + hn::Lanes(d)), im[r], sum);
  }
  return sum;
}

template <bool IsComplex, class D>
void overlap_gradient(D d, const MatrixGate<Number<D>>& gate, const Number<D>* before, const Number<D>* lambda,
                      Number<D>* out) {
  const auto pair = static_cast<std::ptrdiff_t>(2 * hn::Lanes(d));
  auto sum = hn::Zero(d);
  for (const MatrixBlock& block : gate.blocks) {
    const std::ptrdiff_t step = block.stride * pair;
    for (const std::ptrdiff_t column : gate.columns) {
      const Number<D>* x = before + (column + block.offset) * pair;
      const Number<D>* l = lambda + (column + block.offset) * pair;
      const Number<D>* m = gate.forward.data() + block.forward;
      for (std::uint32_t row = 0; row < block.size;) {
        const std::uint32_t rows = tile_rows(row, block.size);
        if (rows == 4) sum = overlap_tile<4, IsComplex>(d, m, block.size, x, step, l, sum);
        if (rows == 3) sum = overlap_tile<3, IsComplex>(d, m, block.size, x, step, l, sum);
        if (rows == 2) sum = overlap_tile<2, IsComplex>(d, m, block.size, x, step, l, sum);
        if (rows == 1) sum = overlap_tile<1, IsComplex>(d, m, block.size, x, step, l, sum);
        row += rows;
        m += (IsComplex ? 2 : 1) * rows * block.size;
        l += rows * step;
      }
    }
  }
  hn::Store(hn::Add(sum, sum), d, out);
}

template <class D>
void diagonal(D d, std::span<const Number<D>> factors, bool adjoint, const Number<D>* source, Number<D>* target) {
  const std::size_t lanes = hn::Lanes(d);
  for (std::size_t n = 0; n < factors.size() / 2; ++n) {
    const auto fr = hn::Set(d, factors[2 * n]);
    const auto fi = hn::Set(d, adjoint ? -factors[2 * n + 1] : factors[2 * n + 1]);
    const auto re = hn::Load(d, source + 2 * n * lanes), im = hn::Load(d, source + (2 * n + 1) * lanes);
    hn::Store(hn::NegMulAdd(fi, im, hn::Mul(fr, re)), d, target + 2 * n * lanes);
    hn::Store(hn::MulAdd(fi, re, hn::Mul(fr, im)), d, target + (2 * n + 1) * lanes);
  }
}

template <class D>
void turns(D d, std::size_t amplitudes, const Number<D>* psi, const Number<D>* lambda, Number<D>* out) {
  const std::size_t lanes = hn::Lanes(d);
  for (std::size_t n = 0; n < amplitudes; ++n) {
    const auto w = imaginary_link(d, lambda + 2 * n * lanes, psi + 2 * n * lanes);
    hn::Store(hn::Neg(hn::Add(w, w)), d, out + n * lanes);
  }
}

template <class D>
void weigh(D d, std::span<const Number<D>> weights, const Number<D>* values, Number<D>* out) {
  const std::size_t lanes = hn::Lanes(d);
  hn::Vec<D> sums[4] = {hn::Zero(d), hn::Zero(d), hn::Zero(d), hn::Zero(d)};
  std::size_t n = 0;
  for (; n + 4 <= weights.size(); n += 4)
    for (std::size_t j = 0; j < 4; ++j)
      sums[j] = hn::MulAdd(hn::Set(d, weights[n + j]), hn::Load(d, values + (n + j) * lanes), sums[j]);
  for (; n < weights.size(); ++n)
    sums[0] = hn::MulAdd(hn::Set(d, weights[n]), hn::Load(d, values + n * lanes), sums[0]);
  hn::Store(hn::Add(hn::Add(sums[0], sums[1]), hn::Add(sums[2], sums[3])), d, out);
}

template <class D>
void coherent(D d, const ModeLayout& layout, const Number<D>* alphas, const Number<D>* starts, Number<D>* vector,
              Number<D>* ket) {
  const std::size_t lanes = hn::Lanes(d);
  // From the last mode up: the ket of the modes below is repeated, the highest index first, so that it can be read
  // until it is overwritten by itself times the vector's first entry.
  for (std::size_t k = layout.cutoffs.size(); k-- > 0;) {
    const auto ar = hn::Load(d, alphas + 2 * k * lanes), ai = hn::Load(d, alphas + (2 * k + 1) * lanes);
    const bool is_last = k + 1 == layout.cutoffs.size();
    Number<D>* to = is_last ? ket : vector;
    auto re = hn::Load(d, starts + k * lanes), im = hn::Zero(d);
    for (std::size_t n = 0; n < layout.cutoffs[k]; ++n) {
      if (n > 0) {
        const auto factor = hn::Set(d, 1 / std::sqrt(static_cast<Number<D>>(n)));
        const auto next = hn::Mul(factor, hn::NegMulAdd(ai, im, hn::Mul(ar, re)));
        im = hn::Mul(factor, hn::MulAdd(ai, re, hn::Mul(ar, im)));
        re = next;
      }
      hn::Store(re, d, to + 2 * n * lanes);
      hn::Store(im, d, to + (2 * n + 1) * lanes);
    }
    if (is_last) continue;
    const std::size_t below = layout.strides[k];
    for (std::size_t m = layout.cutoffs[k]; m-- > 0;) {
      const auto vr = hn::Load(d, vector + 2 * m * lanes), vi = hn::Load(d, vector + (2 * m + 1) * lanes);
      for (std::size_t n = 0; n < below; ++n) {
        const auto br = hn::Load(d, ket + 2 * n * lanes), bi = hn::Load(d, ket + (2 * n + 1) * lanes);
        Number<D>* at = ket + 2 * (m * below + n) * lanes;
        hn::Store(hn::NegMulAdd(vi, bi, hn::Mul(vr, br)), d, at);
        hn::Store(hn::MulAdd(vi, br, hn::Mul(vr, bi)), d, at + lanes);
      }
    }
  }
}

/// Calls fn(base) for each run of amplitudes base + i * stride of mode k.
template <class Function>
HWY_INLINE void for_columns(const ModeLayout& layout, std::size_t k, Function fn) {
  const std::size_t stride = layout.strides[k], period = stride * layout.cutoffs[k];
  for (std::size_t outer = 0; outer < layout.amplitudes; outer += period)
    for (std::size_t inner = 0; inner < stride; ++inner) fn(outer + inner);
}

template <class D>
Number<D> root(D /*d*/, std::size_t n) {
  return std::sqrt(static_cast<Number<D>>(n));
}

/// Accumulators of one level of one mode over all columns come first and are weighted with square roots after, so a
/// level costs four multiply-adds a column.
template <class D>
void lowering(D d, const ModeLayout& layout, std::size_t k, std::size_t by, const Number<D>* ket, Number<D>* re,
              Number<D>* im) {
  const std::size_t lanes = hn::Lanes(d), stride = layout.strides[k];
  auto total_re = hn::Zero(d), total_im = hn::Zero(d);
  for (std::size_t n = by; n < layout.cutoffs[k]; ++n) {
    auto sum_re = hn::Zero(d), sum_im = hn::Zero(d);
    for_columns(layout, k, [&](std::size_t base) {
      const Number<D>* low = ket + 2 * (base + (n - by) * stride) * lanes;
      const Number<D>* high = ket + 2 * (base + n * stride) * lanes;
      sum_re = hn::Add(sum_re, real_link(d, low, high));
      sum_im = hn::Add(sum_im, imaginary_link(d, low, high));
    });
    const auto factor = hn::Set(d, by == 1 ? root(d, n) : root(d, n * (n - 1)));
    total_re = hn::MulAdd(factor, sum_re, total_re);
    total_im = hn::MulAdd(factor, sum_im, total_im);
  }
  hn::Store(total_re, d, re);
  hn::Store(total_im, d, im);
}

template <class D>
void moments(D d, const ModeLayout& layout, const Number<D>* ket, const Moments<Number<D>>& out) {
  const std::size_t lanes = hn::Lanes(d);
  for (std::size_t k = 0; k < layout.cutoffs.size(); ++k) {
    const std::size_t at = k * lanes;
    if (out.x != nullptr) {
      lowering(d, layout, k, 1, ket, out.x + at, out.p + at);
      for (Number<D>* part : {out.x + at, out.p + at})
        hn::Store(hn::Add(hn::Load(d, part), hn::Load(d, part)), d, part);
    }
    if (out.a2_re != nullptr) lowering(d, layout, k, 2, ket, out.a2_re + at, out.a2_im + at);
    const bool norm = k == 0 && out.norm != nullptr;
    if (out.n == nullptr && !norm) continue;
    auto total = hn::Zero(d), first = hn::Zero(d), second = hn::Zero(d);
    for (std::size_t n = 0; n < layout.cutoffs[k]; ++n) {
      auto level = hn::Zero(d);
      for_columns(layout, k, [&](std::size_t base) {
        const Number<D>* x = ket + 2 * (base + n * layout.strides[k]) * lanes;
        level = hn::Add(level, real_link(d, x, x));
      });
      const auto number = hn::Set(d, static_cast<Number<D>>(n));
      total = hn::Add(total, level);
      first = hn::MulAdd(number, level, first);
      second = hn::MulAdd(hn::Mul(number, number), level, second);
    }
    if (norm) hn::Store(total, d, out.norm);
    if (out.n != nullptr) hn::Store(first, d, out.n + at);
    if (out.n2 != nullptr) hn::Store(second, d, out.n2 + at);
  }
}

template <class D>
void moments_gradient(D d, const ModeLayout& layout, const Number<D>* ket, const Moments<const Number<D>>& cotangents,
                      Number<D>* lambda) {
  const std::size_t lanes = hn::Lanes(d);
  const auto norm = cotangents.norm == nullptr ? hn::Zero(d) : hn::Load(d, cotangents.norm);
  for (std::size_t i = 0; i < 2 * layout.amplitudes * lanes; i += lanes)
    hn::Store(hn::Mul(norm, hn::Load(d, ket + i)), d, lambda + i);
  const auto given = [&](const Number<D>* values, std::size_t k) {
    return values == nullptr ? hn::Zero(d) : hn::Load(d, values + k * lanes);
  };
  for (std::size_t k = 0; k < layout.cutoffs.size(); ++k) {
    const std::size_t cutoff = layout.cutoffs[k], stride = layout.strides[k];
    if (cotangents.x != nullptr || cotangents.p != nullptr) {
      const auto cx = given(cotangents.x, k), cp = given(cotangents.p, k);
      for (std::size_t n = 1; n < cutoff; ++n) {
        const auto factor = hn::Set(d, root(d, n));
        const auto fx = hn::Mul(factor, cx), fp = hn::Mul(factor, cp);
        for_columns(layout, k, [&](std::size_t base) {
          // lambda_{n-1} += (fx - i fp) psi_n, lambda_n += (fx + i fp) psi_{n-1}.
          const std::size_t high = 2 * (base + n * stride) * lanes, low = high - 2 * stride * lanes;
          const auto hr = hn::Load(d, ket + high), hi = hn::Load(d, ket + high + lanes);
          const auto lr = hn::Load(d, ket + low), li = hn::Load(d, ket + low + lanes);
          const auto add = [&](std::size_t at, hn::Vec<D> a, hn::Vec<D> b) {
            hn::Store(hn::Add(hn::Load(d, lambda + at), hn::Add(a, b)), d, lambda + at);
          };
          add(low, hn::Mul(fx, hr), hn::Mul(fp, hi));
          add(low + lanes, hn::Mul(fx, hi), hn::Neg(hn::Mul(fp, hr)));
          add(high, hn::Mul(fx, lr), hn::Neg(hn::Mul(fp, li)));
          add(high + lanes, hn::Mul(fx, li), hn::Mul(fp, lr));
        });
      }
    }
    if (cotangents.n == nullptr && cotangents.n2 == nullptr) continue;
    const auto cn = given(cotangents.n, k), cn2 = given(cotangents.n2, k);
    for (std::size_t n = 1; n < cutoff; ++n) {
      const auto number = hn::Set(d, static_cast<Number<D>>(n));
      const auto factor = hn::Mul(number, hn::MulAdd(number, cn2, cn));
      for_columns(layout, k, [&](std::size_t base) {
        const std::size_t at = 2 * (base + n * stride) * lanes;
        for (const std::size_t part : {at, at + lanes})
          hn::Store(hn::MulAdd(factor, hn::Load(d, ket + part), hn::Load(d, lambda + part)), d, lambda + part);
      });
    }
  }
}

template <class D>
void raised_overlaps(D d, const ModeLayout& layout, const Number<D>* psi, const Number<D>* lambda, Number<D>* out) {
  const std::size_t lanes = hn::Lanes(d);
  auto re = hn::Zero(d), im = hn::Zero(d);
  for (std::size_t n = 0; n < layout.amplitudes; ++n) {
    re = hn::Add(re, real_link(d, lambda + 2 * n * lanes, psi + 2 * n * lanes));
    im = hn::Add(im, imaginary_link(d, lambda + 2 * n * lanes, psi + 2 * n * lanes));
  }
  hn::Store(re, d, out);
  hn::Store(im, d, out + lanes);
  for (std::size_t k = 0; k < layout.cutoffs.size(); ++k) {
    auto total_re = hn::Zero(d), total_im = hn::Zero(d);
    for (std::size_t n = 1; n < layout.cutoffs[k]; ++n) {
      auto sum_re = hn::Zero(d), sum_im = hn::Zero(d);
      for_columns(layout, k, [&](std::size_t base) {
        const std::size_t high = 2 * (base + n * layout.strides[k]) * lanes, low = high - 2 * layout.strides[k] * lanes;
        sum_re = hn::Add(sum_re, real_link(d, lambda + high, psi + low));
        sum_im = hn::Add(sum_im, imaginary_link(d, lambda + high, psi + low));
      });
      const auto factor = hn::Set(d, root(d, n));
      total_re = hn::MulAdd(factor, sum_re, total_re);
      total_im = hn::MulAdd(factor, sum_im, total_im);
    }
    hn::Store(total_re, d, out + (2 + 2 * k) * lanes);
    hn::Store(total_im, d, out + (3 + 2 * k) * lanes);
  }
}

/// Lanes that this instruction set has vectors for; the target without vectors has one.
template <class T>
inline constexpr std::size_t kLeast = HWY_TARGET == HWY_SCALAR ? 1 : 16 / sizeof(T);
template <class T>
inline constexpr std::size_t kMost = HWY_TARGET == HWY_SCALAR ? 1 : std::min(HWY_MAX_BYTES / sizeof(T), 4 * kLeast<T>);

/// Calls fn(tag) with the tag of that many lanes.
template <class T, class Function>
HWY_INLINE void with_lanes(std::size_t lanes, Function fn) {
  if constexpr (kMost<T> >= 4 * kLeast<T>)
    if (lanes == 4 * kLeast<T>) return fn(hn::FixedTag<T, 4 * kLeast<T>>());
  if constexpr (kMost<T> >= 2 * kLeast<T>)
    if (lanes == 2 * kLeast<T>) return fn(hn::FixedTag<T, 2 * kLeast<T>>());
  return fn(hn::FixedTag<T, kLeast<T>>());
}

template <class T>
const KetKernels<T>& table() {
  static constexpr KetKernels<T> kTable{
      kLeast<T>,
      kMost<T>,
      [](std::size_t lanes, const MatrixGate<T>& gate, bool adjoint, const T* source, T* target) {
        with_lanes<T>(lanes, [&](auto d) {
          gate.is_complex ? apply_gate<true>(d, gate, adjoint, source, target)
                          : apply_gate<false>(d, gate, adjoint, source, target);
        });
      },
      [](std::size_t lanes, std::span<const T> factors, bool adjoint, const T* source, T* target) {
        with_lanes<T>(lanes, [&](auto d) { diagonal(d, factors, adjoint, source, target); });
      },
      [](std::size_t lanes, const MatrixGate<T>& gate, const T* before, const T* after, const T* lambda, T* sum) {
        with_lanes<T>(lanes, [&](auto d) {
          if (gate.is_complex && gate.links_complex)
            return link_gradient<true, true>(d, gate, before, after, lambda, sum);
          if (gate.is_complex) return link_gradient<true, false>(d, gate, before, after, lambda, sum);
          return link_gradient<false, false>(d, gate, before, after, lambda, sum);
        });
      },
      [](std::size_t lanes, const MatrixGate<T>& gate, const T* before, const T* lambda, T* sum) {
        with_lanes<T>(lanes, [&](auto d) {
          gate.is_complex ? overlap_gradient<true>(d, gate, before, lambda, sum)
                          : overlap_gradient<false>(d, gate, before, lambda, sum);
        });
      },
      [](std::size_t lanes, std::size_t amplitudes, const T* psi, const T* lambda, T* out) {
        with_lanes<T>(lanes, [&](auto d) { turns(d, amplitudes, psi, lambda, out); });
      },
      [](std::size_t lanes, std::span<const T> weights, const T* values, T* sum) {
        with_lanes<T>(lanes, [&](auto d) { weigh(d, weights, values, sum); });
      },
      [](std::size_t lanes, const ModeLayout& layout, const T* alphas, const T* starts, T* scratch, T* ket) {
        with_lanes<T>(lanes, [&](auto d) { coherent(d, layout, alphas, starts, scratch, ket); });
      },
      [](std::size_t lanes, const ModeLayout& layout, const T* ket, const Moments<T>& out) {
        with_lanes<T>(lanes, [&](auto d) { moments(d, layout, ket, out); });
      },
      [](std::size_t lanes, const ModeLayout& layout, const T* ket, const Moments<const T>& cotangents, T* lambda) {
        with_lanes<T>(lanes, [&](auto d) { moments_gradient(d, layout, ket, cotangents, lambda); });
      },
      [](std::size_t lanes, const ModeLayout& layout, const T* psi, const T* lambda, T* out) {
        with_lanes<T>(lanes, [&](auto d) { raised_overlaps(d, layout, psi, lambda, out); });
      }};
  return kTable;
}

const KetKernels<float>* table_f32() {
  return &table<float>();
}
const KetKernels<double>* table_f64() {
  return &table<double>();
}

}  // namespace HWY_NAMESPACE
}  // namespace skerry::kernels::fock
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace skerry::kernels::fock {
HWY_EXPORT(table_f32);
HWY_EXPORT(table_f64);

template <>
const KetKernels<float>& ket_kernels<float>() {
  return *HWY_DYNAMIC_DISPATCH(table_f32)();
}
template <>
const KetKernels<double>& ket_kernels<double>() {
  return *HWY_DYNAMIC_DISPATCH(table_f64)();
}
}  // namespace skerry::kernels::fock
#endif
