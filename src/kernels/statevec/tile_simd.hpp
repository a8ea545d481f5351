/// \file
/// A tile of amplitudes in vector registers and what is done to it, for sweep_simd.cpp: included after highway.h, once
/// for every instruction set.

// Highway's per-target guard, which is undone each time another target is compiled.
#if defined(SKERRY_KERNELS_STATEVEC_TILE_SIMD) == defined(HWY_TARGET_TOGGLE)
#ifdef SKERRY_KERNELS_STATEVEC_TILE_SIMD
#undef SKERRY_KERNELS_STATEVEC_TILE_SIMD
#else
#define SKERRY_KERNELS_STATEVEC_TILE_SIMD
#endif

#include <hwy/highway.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>

// A lambda that is not inlined would have its tile in memory.
#ifndef SKERRY_INLINE
#define SKERRY_INLINE __attribute__((always_inline)) HWY_ATTR
#endif

HWY_BEFORE_NAMESPACE();
namespace skerry::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// A tile of 2^3 vectors, real and imaginary, takes half of 32 registers; where there are 16, 2^2 do.
#if HWY_TARGET == HWY_AVX3 || HWY_ARCH_ARM_A64
constexpr int kSlotBits = 3;
#else
constexpr int kSlotBits = 2;
#endif
constexpr std::size_t kVectors = std::size_t{1} << kSlotBits;

template <class T>
using Tag = hn::ScalableTag<T>;
template <class T>
using Vector = hn::Vec<Tag<T>>;

/// Calls fn(constant 0), fn(constant 1), … so that every index into a tile is known to the compiler.
template <std::size_t n, class Function>
HWY_INLINE void unrolled(Function fn) {
  const auto call = [&]<std::size_t... i>(std::index_sequence<i...>)
                        SKERRY_INLINE { (fn(std::integral_constant<std::size_t, i>()), ...); };
  call(std::make_index_sequence<n>());
}

template <class T>
struct Tile {
  std::array<Vector<T>, kVectors> re, im;
};

/// The lower member of pair number `pair` of vectors that differ in slot `slot`.
template <std::size_t slot>
constexpr std::size_t lower(std::size_t pair) {
  constexpr std::size_t below = (std::size_t{1} << slot) - 1;
  return ((pair & ~below) << 1) | (pair & below);
}

template <class T>
HWY_INLINE Vector<T> coefficient(const T* data, std::size_t i) {
  return hn::Load(Tag<T>(), data + i * hn::Lanes(Tag<T>()));
}
template <class T>
HWY_INLINE auto source_lanes(const T* data, std::size_t i) {
  using Index = hwy::MakeSigned<T>;
  return hn::SetTableIndices(Tag<T>(), reinterpret_cast<const Index*>(data) + i * hn::Lanes(Tag<T>()));
}

template <class T, std::size_t slot, bool reflects = false>
HWY_INLINE void pair_real(Tile<T>& x, const T* data) {
  const auto b = coefficient(data, 0), c = coefficient(data, 1);
  unrolled<kVectors / 2>([&](auto pair) SKERRY_INLINE {
    constexpr std::size_t i = lower<slot>(pair), j = i + (std::size_t{1} << slot);
    const auto re = x.re[i], im = x.im[i];
    x.re[i] = hn::MulAdd(b, x.re[j], re);
    x.im[i] = hn::MulAdd(b, x.im[j], im);
    x.re[j] = reflects ? hn::MulSub(c, re, x.re[j]) : hn::MulAdd(c, re, x.re[j]);
    x.im[j] = reflects ? hn::MulSub(c, im, x.im[j]) : hn::MulAdd(c, im, x.im[j]);
  });
}
template <class T, std::size_t slot>
HWY_INLINE void pair_reflect(Tile<T>& x, const T* data) {
  pair_real<T, slot, true>(x, data);
}

template <class T, std::size_t slot>
HWY_INLINE void pair_imaginary(Tile<T>& x, const T* data) {
  const auto b = coefficient(data, 0), c = coefficient(data, 1);
  unrolled<kVectors / 2>([&](auto pair) SKERRY_INLINE {
    constexpr std::size_t i = lower<slot>(pair), j = i + (std::size_t{1} << slot);
    const auto re = x.re[i], im = x.im[i];
    x.re[i] = hn::NegMulAdd(b, x.im[j], re);
    x.im[i] = hn::MulAdd(b, x.re[j], im);
    x.re[j] = hn::NegMulAdd(c, im, x.re[j]);
    x.im[j] = hn::MulAdd(c, re, x.im[j]);
  });
}

/// Quarter turns take sums and differences, which run beside the products of other actions.
template <class T, std::size_t slot>
HWY_INLINE void quarter_real(Tile<T>& x, const T*) {
  unrolled<kVectors / 2>([&](auto pair) SKERRY_INLINE {
    constexpr std::size_t i = lower<slot>(pair), j = i + (std::size_t{1} << slot);
    const auto re = hn::Sub(x.re[i], x.re[j]), im = hn::Sub(x.im[i], x.im[j]);
    x.re[j] = hn::Add(x.re[i], x.re[j]), x.im[j] = hn::Add(x.im[i], x.im[j]);
    x.re[i] = re, x.im[i] = im;
  });
}
template <class T, std::size_t slot>
HWY_INLINE void quarter_imaginary(Tile<T>& x, const T*) {
  unrolled<kVectors / 2>([&](auto pair) SKERRY_INLINE {
    constexpr std::size_t i = lower<slot>(pair), j = i + (std::size_t{1} << slot);
    const auto re = hn::Add(x.re[i], x.im[j]), im = hn::Add(x.re[j], x.im[i]);
    x.im[j] = hn::Sub(x.im[j], x.re[i]), x.im[i] = hn::Sub(x.im[i], x.re[j]);
    x.re[i] = re, x.re[j] = im;
  });
}

/// a x + b y, complex.
template <class V>
struct Complex {
  V re, im;
};
template <class V>
HWY_INLINE Complex<V> combine(V are, V aim, V bre, V bim, V xre, V xim, V yre, V yim) {
  const auto re = hn::MulAdd(bre, yre, hn::Mul(are, xre));
  const auto im = hn::MulAdd(bre, yim, hn::Mul(are, xim));
  return {hn::NegMulAdd(bim, yim, hn::NegMulAdd(aim, xim, re)), hn::MulAdd(bim, yre, hn::MulAdd(aim, xre, im))};
}

template <class T, std::size_t slot>
HWY_INLINE void pair_any(Tile<T>& x, const T* data) {
  unrolled<kVectors / 2>([&](auto pair) SKERRY_INLINE {
    constexpr std::size_t i = lower<slot>(pair), j = i + (std::size_t{1} << slot), at = 8 * pair;
    const auto first = combine(coefficient(data, at), coefficient(data, at + 1), coefficient(data, at + 2),
                               coefficient(data, at + 3), x.re[i], x.im[i], x.re[j], x.im[j]);
    const auto second = combine(coefficient(data, at + 4), coefficient(data, at + 5), coefficient(data, at + 6),
                                coefficient(data, at + 7), x.re[i], x.im[i], x.re[j], x.im[j]);
    x.re[i] = first.re, x.im[i] = first.im;
    x.re[j] = second.re, x.im[j] = second.im;
  });
}

template <class T, std::size_t slot>
HWY_INLINE void exchange(Tile<T>& x, const T* data) {
  unrolled<kVectors / 2>([&](auto pair) SKERRY_INLINE {
    constexpr std::size_t i = lower<slot>(pair), j = i + (std::size_t{1} << slot);
    const auto mask = hn::Ne(coefficient(data, pair), hn::Zero(Tag<T>()));
    const auto re = x.re[i], im = x.im[i];
    x.re[i] = hn::IfThenElse(mask, x.re[j], re);
    x.im[i] = hn::IfThenElse(mask, x.im[j], im);
    x.re[j] = hn::IfThenElse(mask, re, x.re[j]);
    x.im[j] = hn::IfThenElse(mask, im, x.im[j]);
  });
}

template <class T, std::size_t slot>
HWY_INLINE void exchange_rows(Tile<T>& x, std::uint32_t pairs) {
  unrolled<kVectors / 2>([&](auto pair) SKERRY_INLINE {
    constexpr std::size_t i = lower<slot>(pair), j = i + (std::size_t{1} << slot);
    if ((pairs >> pair & 1) == 0) return;
    const auto re = x.re[i], im = x.im[i];
    x.re[i] = x.re[j], x.im[i] = x.im[j];
    x.re[j] = re, x.im[j] = im;
  });
}

template <class T, std::size_t slot>
HWY_INLINE void lane_swap(Tile<T>& x, const T* data) {
  const auto from = source_lanes(data, 0);
  const auto mask = hn::Ne(coefficient(data, 1), hn::Zero(Tag<T>()));
  unrolled<kVectors / 2>([&](auto pair) SKERRY_INLINE {
    constexpr std::size_t i = lower<slot>(pair), j = i + (std::size_t{1} << slot);
    const auto re = x.re[i], im = x.im[i];
    x.re[i] = hn::IfThenElse(mask, hn::TableLookupLanes(x.re[j], from), re);
    x.im[i] = hn::IfThenElse(mask, hn::TableLookupLanes(x.im[j], from), im);
    x.re[j] = hn::IfThenElse(mask, x.re[j], hn::TableLookupLanes(re, from));
    x.im[j] = hn::IfThenElse(mask, x.im[j], hn::TableLookupLanes(im, from));
  });
}

template <class T>
HWY_INLINE void lane_real(Tile<T>& x, const T* data) {
  const auto from = source_lanes(data, 0);
  const auto b = coefficient(data, 1);
  unrolled<kVectors>([&](auto i) SKERRY_INLINE {
    x.re[i] = hn::MulAdd(b, hn::TableLookupLanes(x.re[i], from), x.re[i]);
    x.im[i] = hn::MulAdd(b, hn::TableLookupLanes(x.im[i], from), x.im[i]);
  });
}

template <class T>
HWY_INLINE void lane_reflect(Tile<T>& x, const T* data) {
  const auto from = source_lanes(data, 0);
  const auto a = coefficient(data, 1), b = coefficient(data, 2);
  unrolled<kVectors>([&](auto i) SKERRY_INLINE {
    x.re[i] = hn::MulAdd(b, hn::TableLookupLanes(x.re[i], from), hn::Mul(a, x.re[i]));
    x.im[i] = hn::MulAdd(b, hn::TableLookupLanes(x.im[i], from), hn::Mul(a, x.im[i]));
  });
}

template <class T>
HWY_INLINE void lane_imaginary(Tile<T>& x, const T* data) {
  const auto from = source_lanes(data, 0);
  const auto b = coefficient(data, 1);
  unrolled<kVectors>([&](auto i) SKERRY_INLINE {
    const auto re = hn::TableLookupLanes(x.re[i], from), im = hn::TableLookupLanes(x.im[i], from);
    x.re[i] = hn::NegMulAdd(b, im, x.re[i]);
    x.im[i] = hn::MulAdd(b, re, x.im[i]);
  });
}

template <class T>
HWY_INLINE void lane_any(Tile<T>& x, const T* data) {
  const auto from = source_lanes(data, 0);
  unrolled<kVectors>([&](auto i) SKERRY_INLINE {
    constexpr std::size_t at = 1 + 4 * i;
    const auto re = hn::TableLookupLanes(x.re[i], from), im = hn::TableLookupLanes(x.im[i], from);
    const auto sum = combine(coefficient(data, at), coefficient(data, at + 1), coefficient(data, at + 2),
                             coefficient(data, at + 3), x.re[i], x.im[i], re, im);
    x.re[i] = sum.re, x.im[i] = sum.im;
  });
}

template <class T>
HWY_INLINE void lane_permute(Tile<T>& x, const T* data) {
  unrolled<kVectors>([&](auto i) SKERRY_INLINE {
    const auto from = source_lanes(data, i);
    x.re[i] = hn::TableLookupLanes(x.re[i], from);
    x.im[i] = hn::TableLookupLanes(x.im[i], from);
  });
}

template <class T, std::size_t slot, std::size_t second>
HWY_INLINE void quad(Tile<T>& x, const T* data) {
  constexpr std::size_t p = std::size_t{1} << slot, q = std::size_t{1} << second;
  unrolled<kVectors>([&](auto i) SKERRY_INLINE {
    if constexpr ((i & (p | q)) == 0) {
      constexpr std::array<std::size_t, 4> at = {i, i + p, i + q, i + p + q};
      std::array<Complex<Vector<T>>, 4> sum;
      unrolled<4>([&](auto row) SKERRY_INLINE {
        const T* m = data + 8 * row * hn::Lanes(Tag<T>());
        const auto first = combine(coefficient(m, 0), coefficient(m, 1), coefficient(m, 2), coefficient(m, 3),
                                   x.re[at[0]], x.im[at[0]], x.re[at[1]], x.im[at[1]]);
        const auto rest = combine(coefficient(m, 4), coefficient(m, 5), coefficient(m, 6), coefficient(m, 7),
                                  x.re[at[2]], x.im[at[2]], x.re[at[3]], x.im[at[3]]);
        sum[row] = {hn::Add(first.re, rest.re), hn::Add(first.im, rest.im)};
      });
      unrolled<4>([&](auto row) SKERRY_INLINE { x.re[at[row]] = sum[row].re, x.im[at[row]] = sum[row].im; });
    }
  });
}

template <class T, bool all_rows>
HWY_INLINE void phase(Tile<T>& x, const T* table, std::uint32_t rows) {
  unrolled<kVectors>([&](auto i) SKERRY_INLINE {
    if (!all_rows && (rows >> i & 1) == 0) return;
    const auto pre = coefficient(table, 2 * i), pim = coefficient(table, 2 * i + 1);
    const auto re = x.re[i];
    x.re[i] = hn::NegMulAdd(pim, x.im[i], hn::Mul(pre, re));
    x.im[i] = hn::MulAdd(pim, re, hn::Mul(pre, x.im[i]));
  });
}

template <class T>
HWY_INLINE void real_phase(Tile<T>& x, const T* table, std::uint32_t rows) {
  unrolled<kVectors>([&](auto i) SKERRY_INLINE {
    if ((rows >> i & 1) == 0) return;
    const auto p = coefficient(table, 2 * i);
    x.re[i] = hn::Mul(p, x.re[i]);
    x.im[i] = hn::Mul(p, x.im[i]);
  });
}

template <class T>
HWY_INLINE void scale(Tile<T>& x, const T* data) {
  const auto b = coefficient(data, 0);
  unrolled<kVectors>([&](auto i) SKERRY_INLINE {
    x.re[i] = hn::Mul(b, x.re[i]);
    x.im[i] = hn::Mul(b, x.im[i]);
  });
}

/// Numbers between the vectors of a tile that differ in a slot. The sums are kept so that every vector is one of few
/// bases and one of few distances: an address that an instruction can hold.
struct Strides {
  std::size_t slot0 = 0, slot1 = 0, both = 0, slot2 = 0;
  template <std::size_t r>
  HWY_INLINE std::size_t low() const {
    return (r & 3) == 0 ? 0 : (r & 3) == 1 ? slot0 : (r & 3) == 2 ? slot1 : both;
  }
};

template <class T>
HWY_INLINE void load_tile(Tile<T>& x, const T* at, const Strides& strides) {
  const Tag<T> d;
  const T* const above = at + strides.slot2;
  unrolled<kVectors>([&](auto r) SKERRY_INLINE {
    const T* from = (r < 4 ? at : above) + strides.low<r>();
    x.re[r] = hn::Load(d, from);
    x.im[r] = hn::Load(d, from + hn::Lanes(d));
  });
}
template <class T>
HWY_INLINE void store_tile(const Tile<T>& x, T* at, const Strides& strides) {
  const Tag<T> d;
  T* const above = at + strides.slot2;
  unrolled<kVectors>([&](auto r) SKERRY_INLINE {
    T* to = (r < 4 ? at : above) + strides.low<r>();
    hn::Store(x.re[r], d, to);
    hn::Store(x.im[r], d, to + hn::Lanes(d));
  });
}

}  // namespace skerry::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif  // per target
