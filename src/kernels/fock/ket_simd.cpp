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
#include "kernels/fock/ket_matrix_simd.hpp"

HWY_BEFORE_NAMESPACE();
namespace skerry::kernels::fock {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

template <class D>
HWY_INLINE hn::Vec<D> real_link(D d, const Number<D>* lambda, const Number<D>* psi) {
  const std::size_t l = hn::Lanes(d);
  return hn::MulAdd(hn::Load(d, lambda + l), hn::Load(d, psi + l), hn::Mul(hn::Load(d, lambda), hn::Load(d, psi)));
}

/// sum + Re(conj(lambda) psi), and sum + Im(conj(lambda) psi).
template <class D>
HWY_INLINE void add_link(D d, const Number<D>* lambda, const Number<D>* psi, hn::Vec<D>& re, hn::Vec<D>& im) {
  const std::size_t l = hn::Lanes(d);
  const auto lr = hn::Load(d, lambda), li = hn::Load(d, lambda + l), pr = hn::Load(d, psi), pi = hn::Load(d, psi + l);
  re = hn::MulAdd(li, pi, hn::MulAdd(lr, pr, re));
  im = hn::NegMulAdd(li, pr, hn::MulAdd(lr, pi, im));
}

/// Im(conj(lambda) psi).
template <class D>
HWY_INLINE hn::Vec<D> imaginary_link(D d, const Number<D>* lambda, const Number<D>* psi) {
  const std::size_t l = hn::Lanes(d);
  return hn::NegMulAdd(hn::Load(d, lambda + l), hn::Load(d, psi), hn::Mul(hn::Load(d, lambda), hn::Load(d, psi + l)));
}

/// Adds factor_i Re(conj(back_{i+1}) psi_i - conj(back_i) psi_{i+1}) of all neighbours in one column of a block. What
/// is loaded for one pair is kept for the next.
template <class D>
HWY_INLINE hn::Vec<D> add_links(D d, std::uint32_t size, std::ptrdiff_t step, const Number<D>* factors,
                                const Number<D>* psi, const Number<D>* back, hn::Vec<D> sum) {
  const std::size_t lanes = hn::Lanes(d);
  auto pr = hn::Load(d, psi), pi = hn::Load(d, psi + lanes), br = hn::Load(d, back), bi = hn::Load(d, back + lanes);
#pragma GCC unroll 2
  for (std::uint32_t i = 1; i < size; ++i) {
    psi += step;
    back += step;
    const auto next_pr = hn::Load(d, psi), next_pi = hn::Load(d, psi + lanes);
    const auto next_br = hn::Load(d, back), next_bi = hn::Load(d, back + lanes);
    const auto up = hn::MulAdd(next_bi, pi, hn::Mul(next_br, pr));
    const auto both = hn::NegMulAdd(bi, next_pi, hn::NegMulAdd(br, next_pr, up));
    sum = hn::MulAdd(hn::Set(d, factors[i - 1]), both, sum);
    pr = next_pr, pi = next_pi, br = next_br, bi = next_bi;
  }
  return sum;
}

/// Sum over C columns of Re(conj(padding column of M * lambda) psi_edge).
template <std::size_t C, class D>
HWY_INLINE hn::Vec<D> padding_overlap(D d, const Number<D>* entries, std::uint32_t size, std::ptrdiff_t step,
                                      const std::ptrdiff_t* columns, const Number<D>* lambda, const Number<D>* edge) {
  const std::size_t lanes = hn::Lanes(d);
  const auto pair = static_cast<std::ptrdiff_t>(2 * lanes);
  hn::Vec<D> re[C], im[C];
  const Number<D>* x[C];
  for (std::size_t c = 0; c < C; ++c) {
    re[c] = im[c] = hn::Zero(d);
    x[c] = lambda + columns[c] * pair;
  }
  std::ptrdiff_t at = 0;
  for (std::uint32_t n = 0; n < size; ++n, at += step) {
    const auto entry = hn::Set(d, entries[n]);
    for (std::size_t c = 0; c < C; ++c) {
      re[c] = hn::MulAdd(entry, hn::Load(d, x[c] + at), re[c]);
      im[c] = hn::MulAdd(entry, hn::Load(d, x[c] + at + lanes), im[c]);
    }
  }
  auto sum = hn::Zero(d);
  for (std::size_t c = 0; c < C; ++c) {
    const Number<D>* e = edge + columns[c] * pair;
    sum = hn::MulAdd(hn::Load(d, e), re[c], sum);
    sum = hn::MulAdd(hn::Load(d, e + lanes), im[c], sum);
  }
  return sum;
}

template <class D>
HWY_INLINE hn::Vec<D> links_and_paddings(D d, const MatrixGate<Number<D>>& gate,
                                         std::span<const std::ptrdiff_t> columns, const Number<D>* before,
                                         const Number<D>* back, const Number<D>* lambda) {
  const auto pair = static_cast<std::ptrdiff_t>(2 * hn::Lanes(d));
  const std::ptrdiff_t step = gate.blocks[0].stride * pair;
  const Number<D>* factors = gate.link_factors.data();
  auto even = hn::Zero(d), odd = hn::Zero(d);
  for (const MatrixBlock& block : gate.blocks) {
    std::size_t c = 0;
    for (; c + 2 <= columns.size(); c += 2) {
      const std::ptrdiff_t first = (block.offset + columns[c]) * pair, second = (block.offset + columns[c + 1]) * pair;
      even = add_links(d, block.size, step, factors, before + first, back + first, even);
      odd = add_links(d, block.size, step, factors, before + second, back + second, odd);
    }
    if (c < columns.size()) {
      const std::ptrdiff_t first = (block.offset + columns[c]) * pair;
      even = add_links(d, block.size, step, factors, before + first, back + first, even);
    }
    factors += block.size - 1;
    std::swap(even, odd);  // neither waits for the other
  }
  for (std::size_t k = 0; k < gate.paddings.size(); ++k) {
    const Padding& padding = gate.paddings[k];
    const Number<D>* entries = gate.entries.data() + padding.entries;
    const Number<D>*x = lambda + padding.offset * pair, *edge = before + padding.edge * pair;
    const auto factor = hn::Set(d, gate.padding_factors[k]);
    std::size_t c = 0;
    for (; c + 4 <= columns.size(); c += 4)
      even = hn::MulAdd(factor, padding_overlap<4>(d, entries, padding.size, step, columns.data() + c, x, edge), even);
    for (; c < columns.size(); ++c)
      odd = hn::MulAdd(factor, padding_overlap<1>(d, entries, padding.size, step, columns.data() + c, x, edge), odd);
  }
  return hn::Add(even, odd);
}

template <class D>
void link_gradient(D d, const MatrixGate<Number<D>>& gate, const Number<D>* before, const Number<D>* back,
                   const Number<D>* lambda, Number<D>* out) {
  constexpr std::ptrdiff_t kHere[1] = {0};
  const auto sum = gate.columns.size() == 1  // a constant: the loop over columns goes
                       ? links_and_paddings(d, gate, kHere, before, back, lambda)
                       : links_and_paddings(d, gate, gate.columns, before, back, lambda);
  hn::Store(hn::Add(sum, sum), d, out);
}

template <bool IsComplex, class D>
void overlap_gradient(D d, const MatrixGate<Number<D>>& gate, const Number<D>* before, const Number<D>* lambda,
                      Number<D>* out) {
  const auto pair = static_cast<std::ptrdiff_t>(2 * hn::Lanes(d));
  auto sum = hn::Zero(d);
  for (const MatrixBlock& block : gate.blocks) {
    const std::ptrdiff_t step = block.stride * pair;
    const Number<D>* matrix = gate.entries.data() + block.matrix;
    const Number<D>* imaginary = IsComplex ? gate.imaginary.data() + block.matrix : nullptr;
    for (const std::ptrdiff_t column : gate.columns) {
      const Number<D>* x = before + (column + block.offset) * pair;
      const Number<D>* l = lambda + (column + block.offset) * pair;
      for (std::uint32_t row = 0; row < block.size; ++row, l += step) {
        hn::Vec<D> re[1], im[1];
        const std::size_t at = std::size_t{row} * block.size;
        tile<1, IsComplex, false>(d, matrix + at, imaginary + (IsComplex ? at : 0), 0, 1, block.size, x, step, re, im);
        sum = hn::MulAdd(hn::Load(d, l), re[0], sum);
        sum = hn::MulAdd(hn::Load(d, l + hn::Lanes(d)), im[0], sum);
      }
    }
  }
  hn::Store(hn::Add(sum, sum), d, out);
}

template <bool Conjugates, class D>
void turn(D d, std::size_t amplitudes, const Phases<Number<D>>& phases, const Number<D>* source, Number<D>* target) {
  const std::size_t lanes = hn::Lanes(d);
  const Number<D>*re_of = phases.re, *im_of = phases.im;
  for (std::size_t n = 0; n < amplitudes; ++n) {
    auto re = hn::Load(d, source + 2 * n * lanes), im = hn::Load(d, source + (2 * n + 1) * lanes);
    turn_one<Conjugates>(d, re_of + n, im_of + n, re, im);
    hn::Store(re, d, target + 2 * n * lanes);
    hn::Store(im, d, target + (2 * n + 1) * lanes);
  }
}

template <bool IsComplex, class D>
void apply(D d, const MatrixGate<Number<D>>& gate, const Phases<Number<D>>& phases, const Number<D>* source,
           Number<D>* target) {
  phases.re == nullptr ? apply_gate<IsComplex, false, Way::straight>(d, gate, phases, source, nullptr, target)
                       : apply_gate<IsComplex, false, Way::turned>(d, gate, phases, source, nullptr, target);
}

template <bool IsComplex, class D>
void apply_adjoint(D d, const MatrixGate<Number<D>>& gate, const Phases<Number<D>>& phases, const Number<D>* source,
                   Number<D>* plain, Number<D>* target) {
  phases.re == nullptr ? apply_gate<IsComplex, true, Way::straight>(d, gate, phases, source, nullptr, plain)
                       : apply_gate<IsComplex, true, Way::both>(d, gate, phases, source, plain, target);
}

template <std::size_t Count, class D>
HWY_INLINE void phase_sums(D d, std::size_t amplitudes, const Number<D>* const* weights, const Number<D>* psi,
                           const Number<D>* lambda, Number<D>* const* out) {
  const std::size_t lanes = hn::Lanes(d);
  // Two sums each, for even and odd amplitudes: one alone would wait for itself.
  hn::Vec<D> sums[2][Count];
  for (auto& part : sums)
    for (auto& sum : part) sum = hn::Zero(d);
  const auto add = [&](std::size_t n, hn::Vec<D>(&part)[Count]) HWY_ATTR {
    const auto turned = imaginary_link(d, lambda + 2 * n * lanes, psi + 2 * n * lanes);
    for (std::size_t i = 0; i < Count; ++i) part[i] = hn::MulAdd(hn::Set(d, weights[i][n]), turned, part[i]);
  };
  std::size_t n = 0;
  for (; n + 2 <= amplitudes; n += 2) {
    add(n, sums[0]);
    add(n + 1, sums[1]);
  }
  if (n < amplitudes) add(n, sums[0]);
  for (std::size_t i = 0; i < Count; ++i) {
    const auto sum = hn::Add(sums[0][i], sums[1][i]);
    hn::Store(hn::Neg(hn::Add(sum, sum)), d, out[i]);
  }
}

template <class D>
void phase_gradients(D d, std::size_t amplitudes, std::span<const Number<D>* const> weights, const Number<D>* psi,
                     const Number<D>* lambda, Number<D>* const* out) {
  const Number<D>* const* w = weights.data();
  std::size_t left = weights.size();
  for (; left >= 4; left -= 4, w += 4, out += 4) phase_sums<4>(d, amplitudes, w, psi, lambda, out);
  if (left == 3) phase_sums<3>(d, amplitudes, w, psi, lambda, out);
  if (left == 2) phase_sums<2>(d, amplitudes, w, psi, lambda, out);
  if (left == 1) phase_sums<1>(d, amplitudes, w, psi, lambda, out);
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
      add_link(d, low, high, sum_re, sum_im);
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

/// What cotangents of mode k's quadratures add: lambda_{n-1} += (fx - i fp) psi_n, lambda_n += (fx + i fp) psi_{n-1}.
template <bool HasP, class D>
void quadrature_gradient(D d, const ModeLayout& layout, std::size_t k, hn::Vec<D> cx, hn::Vec<D> cp,
                         const Number<D>* ket, Number<D>* lambda) {
  const std::size_t lanes = hn::Lanes(d), stride = layout.strides[k];
  for (std::size_t n = 1; n < layout.cutoffs[k]; ++n) {
    const auto factor = hn::Set(d, root(d, n));
    const auto fx = hn::Mul(factor, cx), fp = hn::Mul(factor, cp);
    for_columns(layout, k, [&](std::size_t base) {
      const std::size_t high = 2 * (base + n * stride) * lanes, low = high - 2 * stride * lanes;
      const auto hr = hn::Load(d, ket + high), hi = hn::Load(d, ket + high + lanes);
      const auto lr = hn::Load(d, ket + low), li = hn::Load(d, ket + low + lanes);
      const auto add = [&](std::size_t at, hn::Vec<D> x, hn::Vec<D> p) {
        auto sum = hn::MulAdd(fx, x, hn::Load(d, lambda + at));
        if constexpr (HasP) sum = hn::MulAdd(fp, p, sum);
        hn::Store(sum, d, lambda + at);
      };
      add(low, hr, hi);
      add(low + lanes, hi, hn::Neg(hr));
      add(high, lr, hn::Neg(li));
      add(high + lanes, li, lr);
    });
  }
}

template <class D>
void moments_gradient(D d, const ModeLayout& layout, const Number<D>* ket, const Moments<const Number<D>>& cotangents,
                      Number<D>* lambda) {
  const std::size_t lanes = hn::Lanes(d);
  const std::size_t size = 2 * layout.amplitudes * lanes;
  if (cotangents.norm == nullptr) {
    for (std::size_t i = 0; i < size; i += lanes) hn::Store(hn::Zero(d), d, lambda + i);
  } else {
    const auto norm = hn::Load(d, cotangents.norm);
    for (std::size_t i = 0; i < size; i += lanes) hn::Store(hn::Mul(norm, hn::Load(d, ket + i)), d, lambda + i);
  }
  const auto given = [&](const Number<D>* values, std::size_t k) {
    return values == nullptr ? hn::Zero(d) : hn::Load(d, values + k * lanes);
  };
  for (std::size_t k = 0; k < layout.cutoffs.size(); ++k) {
    if (cotangents.p != nullptr) {
      quadrature_gradient<true>(d, layout, k, given(cotangents.x, k), given(cotangents.p, k), ket, lambda);
    } else if (cotangents.x != nullptr) {
      quadrature_gradient<false>(d, layout, k, given(cotangents.x, k), hn::Zero(d), ket, lambda);
    }
    if (cotangents.n == nullptr && cotangents.n2 == nullptr) continue;
    const auto cn = given(cotangents.n, k), cn2 = given(cotangents.n2, k);
    for (std::size_t n = 1; n < layout.cutoffs[k]; ++n) {
      const auto number = hn::Set(d, static_cast<Number<D>>(n));
      const auto factor = hn::Mul(number, hn::MulAdd(number, cn2, cn));
      for_columns(layout, k, [&](std::size_t base) {
        const std::size_t at = 2 * (base + n * layout.strides[k]) * lanes;
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
    add_link(d, lambda + 2 * n * lanes, psi + 2 * n * lanes, re, im);
  }
  hn::Store(re, d, out);
  hn::Store(im, d, out + lanes);
  for (std::size_t k = 0; k < layout.cutoffs.size(); ++k) {
    auto total_re = hn::Zero(d), total_im = hn::Zero(d);
    for (std::size_t n = 1; n < layout.cutoffs[k]; ++n) {
      auto sum_re = hn::Zero(d), sum_im = hn::Zero(d);
      for_columns(layout, k, [&](std::size_t base) {
        const std::size_t high = 2 * (base + n * layout.strides[k]) * lanes, low = high - 2 * layout.strides[k] * lanes;
        add_link(d, lambda + high, psi + low, sum_re, sum_im);
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

template <class D>
void add_terms(D /*d*/, std::span<const Term> terms, const Number<D>* values, std::size_t stride, double* sums) {
  constexpr std::size_t kLanes = hn::MaxLanes(D()),
                        kAtOnce = std::min<std::size_t>(kLanes, HWY_MAX_BYTES / sizeof(double));
  const hn::FixedTag<double, HWY_TARGET == HWY_SCALAR ? 1 : kAtOnce> wide;
  const hn::Rebind<Number<D>, decltype(wide)> narrow;
  for (const Term& term : terms) {
    const auto coefficient = hn::Set(wide, term.coefficient);
    const Number<D>* value = values + term.value * kLanes;
    double* sum = sums + term.row * stride;
    for (std::size_t lane = 0; lane < kLanes; lane += hn::Lanes(wide)) {
      hn::Vec<decltype(wide)> given;
      if constexpr (std::is_same_v<Number<D>, double>) {
        given = hn::LoadU(wide, value + lane);
      } else {
        given = hn::PromoteTo(wide, hn::LoadU(narrow, value + lane));
      }
      // Product and sum are rounded apart on every machine.
      hn::StoreU(hn::Add(hn::LoadU(wide, sum + lane), hn::Mul(coefficient, given)), wide, sum + lane);
    }
  }
}

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
      [](std::size_t lanes, const MatrixGate<T>& gate, const Phases<T>& phases, const T* source, T* target) {
        with_lanes<T>(lanes, [&](auto d) {
          gate.imaginary.empty() ? apply<false>(d, gate, phases, source, target)
                                 : apply<true>(d, gate, phases, source, target);
        });
      },
      [](std::size_t lanes, const MatrixGate<T>& gate, const Phases<T>& phases, const T* source, T* plain, T* target) {
        with_lanes<T>(lanes, [&](auto d) {
          gate.imaginary.empty() ? apply_adjoint<false>(d, gate, phases, source, plain, target)
                                 : apply_adjoint<true>(d, gate, phases, source, plain, target);
        });
      },
      [](std::size_t lanes, std::size_t amplitudes, const Phases<T>& phases, bool conjugates, const T* source,
         T* target) {
        with_lanes<T>(lanes, [&](auto d) {
          conjugates ? turn<true>(d, amplitudes, phases, source, target)
                     : turn<false>(d, amplitudes, phases, source, target);
        });
      },
      [](std::size_t lanes, const MatrixGate<T>& gate, const T* before, const T* back, const T* lambda, T* sum) {
        with_lanes<T>(lanes, [&](auto d) { link_gradient(d, gate, before, back, lambda, sum); });
      },
      [](std::size_t lanes, const MatrixGate<T>& gate, const T* before, const T* lambda, T* sum) {
        with_lanes<T>(lanes, [&](auto d) {
          gate.imaginary.empty() ? overlap_gradient<false>(d, gate, before, lambda, sum)
                                 : overlap_gradient<true>(d, gate, before, lambda, sum);
        });
      },
      [](std::size_t lanes, std::size_t amplitudes, std::span<const T* const> weights, const T* psi, const T* lambda,
         T* const* sums) {
        with_lanes<T>(lanes, [&](auto d) { phase_gradients(d, amplitudes, weights, psi, lambda, sums); });
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
      },
      [](std::size_t lanes, std::span<const Term> terms, const T* values, std::size_t stride, double* sums) {
        with_lanes<T>(lanes, [&](auto d) { add_terms(d, terms, values, stride, sums); });
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
