// Gates on vectors of lanes, one source for every instruction set, chosen at run time.

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/lanes/lanes_simd.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

// Highway's mathematics is made for each target, after highway.h.
#include <hwy/contrib/math/math-inl.h>

#include <bit>
#include <cmath>

#include "kernels/lanes/lanes.hpp"

HWY_BEFORE_NAMESPACE();
namespace skerry::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

template <class T>
struct Lane {
  using D = hn::ScalableTag<T>;
  using V = hn::Vec<D>;
  using Index = decltype(hn::SetTableIndices(D(), static_cast<const hwy::MakeSigned<T>*>(nullptr)));
  static std::size_t count() { return hn::Lanes(D()); }
};

template <class T>
HWY_INLINE typename Lane<T>::Index exchange_lanes(std::size_t mask) {
  HWY_ALIGN hwy::MakeSigned<T> from[HWY_MAX_BYTES / sizeof(T)];
  for (std::size_t lane = 0; lane < Lane<T>::count(); ++lane)
    from[lane] = static_cast<hwy::MakeSigned<T>>((lane ^ mask) & (Lane<T>::count() - 1));
  return hn::SetTableIndices(typename Lane<T>::D(), from);
}

/// Complex vectors.
template <class T>
struct Complex {
  typename Lane<T>::V re, im;
};
template <class T>
HWY_INLINE Complex<T> load(const T* from) {
  const typename Lane<T>::D d;
  return {hn::Load(d, from), hn::Load(d, from + Lane<T>::count())};
}
template <class T>
HWY_INLINE void store(const Complex<T>& x, T* to) {
  const typename Lane<T>::D d;
  hn::Store(x.re, d, to);
  hn::Store(x.im, d, to + Lane<T>::count());
}
template <class T>
HWY_INLINE Complex<T> times(const Complex<T>& m, const Complex<T>& x) {
  return {hn::NegMulAdd(m.im, x.im, hn::Mul(m.re, x.re)), hn::MulAdd(m.re, x.im, hn::Mul(m.im, x.re))};
}
template <class T>
HWY_INLINE Complex<T> times_add(const Complex<T>& m, const Complex<T>& x, const Complex<T>& sum) {
  return {hn::NegMulAdd(m.im, x.im, hn::MulAdd(m.re, x.re, sum.re)),
          hn::MulAdd(m.re, x.im, hn::MulAdd(m.im, x.re, sum.im))};
}
/// sum + conj(a) b.
template <class T>
HWY_INLINE Complex<T> conj_times_add(const Complex<T>& a, const Complex<T>& b, const Complex<T>& sum) {
  return {hn::MulAdd(a.im, b.im, hn::MulAdd(a.re, b.re, sum.re)),
          hn::NegMulAdd(a.im, b.re, hn::MulAdd(a.re, b.im, sum.im))};
}

/// The vectors of one group: x[c * S + s] is vector c with lanes moved by s.
template <class T, int H, int S>
struct Tile {
  Complex<T> x[H * S];
};

/// A gate of 2^slots = H and 2^moves = S, as its loop wants it.
template <class T, int H, int S>
class Shape {
 public:
  explicit Shape(const LaneGate& gate)
      : first_(exchange_lanes<T>(std::size_t{1} << gate.move_bits[0])),
        second_(exchange_lanes<T>(std::size_t{1} << gate.move_bits[1])),
        both_(exchange_lanes<T>(std::size_t{1} << gate.move_bits[0] | std::size_t{1} << gate.move_bits[1])) {
    const std::size_t stride = 2 * Lane<T>::count();
    for (int c = 0; c < H; ++c) offsets_[c] = gate.groups.offsets()[static_cast<std::size_t>(c)] * stride;
  }
  HWY_INLINE Tile<T, H, S> load_tile(const T* base) const {
    Tile<T, H, S> tile;
    for (int c = 0; c < H; ++c) {
      const Complex<T> x = load(base + offsets_[c]);
      tile.x[c * S] = x;
      if constexpr (S > 1) tile.x[c * S + 1] = moved(x, first_);
      if constexpr (S > 2) {
        tile.x[c * S + 2] = moved(x, second_);
        tile.x[c * S + 3] = moved(x, both_);
      }
    }
    return tile;
  }
  /// Stores M x.
  HWY_INLINE void apply(const Tile<T, H, S>& tile, const T* coefficients, T* base) const {
    const std::size_t stride = 2 * Lane<T>::count();
    for (int r = 0; r < H; ++r) {
      const T* row = coefficients + static_cast<std::size_t>(r * H * S) * stride;
      Complex<T> sum = times(load(row), tile.x[0]);
      for (int c = 1; c < H * S; ++c) sum = times_add(load(row + static_cast<std::size_t>(c) * stride), tile.x[c], sum);
      store(sum, base + offsets_[r]);
    }
  }

 private:
  static HWY_INLINE Complex<T> moved(const Complex<T>& x, typename Lane<T>::Index index) {
    return {hn::TableLookupLanes(x.re, index), hn::TableLookupLanes(x.im, index)};
  }
  typename Lane<T>::Index first_, second_, both_;
  std::size_t offsets_[H];
};

template <class T, int H, int S>
void apply_dense(LaneView<T> state, const LaneGate& gate, const T* coefficients, std::size_t begin, std::size_t end) {
  const Shape<T, H, S> shape(gate);
  const std::size_t stride = 2 * Lane<T>::count();
  gate.groups.for_runs(begin, end, [&](std::size_t index, std::size_t length) HWY_ATTR {
    for (std::size_t v = index; v < index + length; ++v) {
      T* base = state.data + v * stride;
      shape.apply(shape.load_tile(base), coefficients, base);
    }
  });
}

template <class T, int H, int S>
void unapply_dense(LaneView<T> ket, LaneView<T> bra, const LaneGate& gate, const T* coefficients, bool and_ket,
                   T* moments, std::size_t begin, std::size_t end) {
  const Shape<T, H, S> shape(gate);
  const std::size_t stride = 2 * Lane<T>::count();
  constexpr int kMoments = H * H * S;
  Complex<T> sums[kMoments];
  for (int i = 0; i < kMoments; ++i) sums[i] = load(moments + static_cast<std::size_t>(i) * stride);
  gate.groups.for_runs(begin, end, [&](std::size_t index, std::size_t length) HWY_ATTR {
    for (std::size_t v = index; v < index + length; ++v) {
      T* ket_base = ket.data + v * stride;
      T* bra_base = bra.data + v * stride;
      const auto kets = shape.load_tile(ket_base), bras = shape.load_tile(bra_base);
      for (int r = 0; r < H; ++r)
        for (int c = 0; c < H * S; ++c)
          sums[r * H * S + c] = conj_times_add(bras.x[r * S], kets.x[c], sums[r * H * S + c]);
      shape.apply(bras, coefficients, bra_base);
      if (and_ket) shape.apply(kets, coefficients, ket_base);
    }
  });
  for (int i = 0; i < kMoments; ++i) store(sums[i], moments + static_cast<std::size_t>(i) * stride);
}

template <class T, int H>
void apply_diagonal(LaneView<T> state, const LaneGate& gate, const T* coefficients, std::size_t begin,
                    std::size_t end) {
  const std::size_t stride = 2 * Lane<T>::count();
  Complex<T> m[H];
  for (int r = 0; r < H; ++r) m[r] = load(coefficients + static_cast<std::size_t>(r) * stride);
  gate.groups.for_runs(begin, end, [&](std::size_t index, std::size_t length) HWY_ATTR {
    for (int r = 0; r < H; ++r) {
      const std::size_t first = index + gate.groups.offsets()[static_cast<std::size_t>(r)];
      for (std::size_t v = first; v < first + length; ++v) {
        T* x = state.data + v * stride;
        store(times(m[r], load(x)), x);
      }
    }
  });
}

template <class T, int H>
void unapply_diagonal(LaneView<T> ket, LaneView<T> bra, const LaneGate& gate, const T* coefficients, bool and_ket,
                      T* moments, std::size_t begin, std::size_t end) {
  const std::size_t stride = 2 * Lane<T>::count();
  Complex<T> m[H], sums[H];
  for (int r = 0; r < H; ++r) {
    m[r] = load(coefficients + static_cast<std::size_t>(r) * stride);
    sums[r] = load(moments + static_cast<std::size_t>(r) * stride);
  }
  gate.groups.for_runs(begin, end, [&](std::size_t index, std::size_t length) HWY_ATTR {
    for (int r = 0; r < H; ++r) {
      const std::size_t first = index + gate.groups.offsets()[static_cast<std::size_t>(r)];
      for (std::size_t v = first; v < first + length; ++v) {
        const Complex<T> x = load(ket.data + v * stride), y = load(bra.data + v * stride);
        sums[r] = conj_times_add(y, x, sums[r]);
        store(times(m[r], y), bra.data + v * stride);
        if (and_ket) store(times(m[r], x), ket.data + v * stride);
      }
    }
  });
  for (int r = 0; r < H; ++r) store(sums[r], moments + static_cast<std::size_t>(r) * stride);
}

template <class T>
void exchange(LaneView<T> state, const LaneGate& gate, std::size_t begin, std::size_t end) {
  const std::size_t stride = 2 * Lane<T>::count();
  const std::size_t distance = gate.groups.offsets()[1] * stride;
  gate.groups.for_runs(begin, end, [&](std::size_t index, std::size_t length) HWY_ATTR {
    for (std::size_t v = index; v < index + length; ++v) {
      T* x = state.data + v * stride;
      const Complex<T> low = load(x), high = load(x + distance);
      store(high, x);
      store(low, x + distance);
    }
  });
}

template <class T>
void apply(LaneView<T> state, const LaneGate& gate, const T* coefficients, std::size_t begin, std::size_t end) {
  if (gate.action == LaneAction::exchange) return exchange(state, gate, begin, end);
  if (gate.action == LaneAction::diagonal) {
    if (gate.slots == 0) return apply_diagonal<T, 1>(state, gate, coefficients, begin, end);
    if (gate.slots == 1) return apply_diagonal<T, 2>(state, gate, coefficients, begin, end);
    return apply_diagonal<T, 4>(state, gate, coefficients, begin, end);
  }
  if (gate.slots == 2) return apply_dense<T, 4, 1>(state, gate, coefficients, begin, end);
  if (gate.slots == 1 && gate.moves == 1) return apply_dense<T, 2, 2>(state, gate, coefficients, begin, end);
  if (gate.slots == 1) return apply_dense<T, 2, 1>(state, gate, coefficients, begin, end);
  if (gate.moves == 2) return apply_dense<T, 1, 4>(state, gate, coefficients, begin, end);
  return apply_dense<T, 1, 2>(state, gate, coefficients, begin, end);
}

template <class T>
void unapply(LaneView<T> ket, LaneView<T> bra, const LaneGate& gate, const T* m, bool and_ket, T* moments,
             std::size_t begin, std::size_t end) {
  if (gate.action == LaneAction::diagonal) {
    if (gate.slots == 0) return unapply_diagonal<T, 1>(ket, bra, gate, m, and_ket, moments, begin, end);
    if (gate.slots == 1) return unapply_diagonal<T, 2>(ket, bra, gate, m, and_ket, moments, begin, end);
    return unapply_diagonal<T, 4>(ket, bra, gate, m, and_ket, moments, begin, end);
  }
  if (gate.slots == 2) return unapply_dense<T, 4, 1>(ket, bra, gate, m, and_ket, moments, begin, end);
  if (gate.slots == 1 && gate.moves == 1)
    return unapply_dense<T, 2, 2>(ket, bra, gate, m, and_ket, moments, begin, end);
  if (gate.slots == 1) return unapply_dense<T, 2, 1>(ket, bra, gate, m, and_ket, moments, begin, end);
  if (gate.moves == 2) return unapply_dense<T, 1, 4>(ket, bra, gate, m, and_ket, moments, begin, end);
  return unapply_dense<T, 1, 2>(ket, bra, gate, m, and_ket, moments, begin, end);
}

/// Sum of the signed vectors of terms, at vector u.
template <class T>
HWY_INLINE typename Lane<T>::V weight(const LaneTerm* terms, std::size_t count, const T* lanes, std::size_t u) {
  const typename Lane<T>::D d;
  auto sum = hn::Zero(d);
  for (std::size_t t = 0; t < count; ++t) {
    const auto term = hn::LoadU(d, lanes + terms[t].vector);
    sum = (std::popcount(u & terms[t].z) & 1) != 0 ? hn::Sub(sum, term) : hn::Add(sum, term);
  }
  return sum;
}

/// Vectors whose products share a partial sum in T and a buffer on the stack.
constexpr std::size_t kShort = 64;

/// totals += the strings of one flip, for vectors [first, stop).
template <class T>
void add_flip(LaneView<T> in, const LaneSum<T>& sum, const LaneFlip& flip, T* totals, std::size_t first,
              std::size_t stop) {
  const typename Lane<T>::D d;
  const std::size_t stride = 2 * Lane<T>::count();
  const auto index = exchange_lanes<T>(flip.move);
  const LaneTerm* terms = sum.terms.data() + flip.first;
  std::size_t real = 0;
  while (real < flip.count && !terms[real].is_imaginary) ++real;
  for (std::size_t v = first; v < stop; ++v) {
    const std::size_t u = v ^ flip.flip;
    const Complex<T> x = load(in.data + u * stride);
    Complex<T> part{hn::Zero(d), hn::Zero(d)};
    if (real != 0) {
      const auto w = weight<T>(terms, real, sum.lanes.data(), u);
      part = {hn::Mul(w, x.re), hn::Mul(w, x.im)};
    }
    if (real != flip.count) {
      const auto w = weight<T>(terms + real, flip.count - real, sum.lanes.data(), u);
      part = {hn::NegMulAdd(w, x.im, part.re), hn::MulAdd(w, x.re, part.im)};
    }
    if (flip.move != 0) part = {hn::TableLookupLanes(part.re, index), hn::TableLookupLanes(part.im, index)};
    T* total = totals + (v - first) * stride;
    const Complex<T> before = load(total);
    store(Complex<T>{hn::Add(before.re, part.re), hn::Add(before.im, part.im)}, total);
  }
}

/// pauli() for its value alone, with the weights of a LaneSum. What a string takes from u to u ^ flip and what it takes
/// back have the same real part, so one of both is enough.
template <class T>
void pauli_value(LaneView<T> in, const LaneSum<T>& sum, double* value, std::size_t begin, std::size_t end) {
  const typename Lane<T>::D d;
  const std::size_t lanes = Lane<T>::count(), stride = 2 * lanes;
  for (std::size_t first = begin; first < end; first += kShort) {
    const std::size_t stop = first + kShort < end ? first + kShort : end;
    for (std::size_t f = 0; f < sum.flips.size(); ++f) {
      const LaneFlip& flip = sum.flips[f];
      const T* weights = sum.weights.data() + f * in.vectors() * 2;
      const bool is_real = !sum.terms[flip.first + flip.count - 1].is_imaginary;
      const std::uint64_t top = std::bit_floor(flip.flip);
      auto energy = hn::Zero(d), turned = hn::Zero(d);
      for (std::size_t u = first; u < stop; ++u) {
        if ((u & top) != 0) continue;
        const Complex<T> x = load(in.data + u * stride), y = load(in.data + (u ^ flip.flip) * stride);
        const auto even = hn::MulAdd(y.im, x.im, hn::Mul(y.re, x.re));
        energy = hn::MulAdd(hn::Set(d, weights[2 * u]), even, energy);
        if (is_real) continue;
        const auto odd = hn::NegMulAdd(y.re, x.im, hn::Mul(y.im, x.re));
        turned = hn::MulAdd(hn::Set(d, weights[2 * u + 1]), odd, turned);
      }
      HWY_ALIGN T parts[HWY_MAX_BYTES / sizeof(T)];
      hn::Store(hn::Add(energy, turned), d, parts);
      const double twice = top != 0 ? 2.0 : 1.0;
      for (std::size_t lane = 0; lane < lanes; ++lane) value[lane] += twice * static_cast<double>(parts[lane]);
    }
  }
}

template <class T>
void pauli(LaneView<T> in, LaneView<T> out, const LaneSum<T>& sum, double* value, std::size_t begin, std::size_t end) {
  if (out.data == nullptr && !sum.weights.empty()) return pauli_value(in, sum, value, begin, end);
  const typename Lane<T>::D d;
  const std::size_t lanes = Lane<T>::count(), stride = 2 * lanes;
  HWY_ALIGN T totals[kShort * 2 * (HWY_MAX_BYTES / sizeof(T))];
  for (std::size_t first = begin; first < end; first += kShort) {
    const std::size_t stop = first + kShort < end ? first + kShort : end;
    for (std::size_t i = 0; i < (stop - first) * stride; i += lanes) hn::Store(hn::Zero(d), d, totals + i);
    for (const LaneFlip& flip : sum.flips) add_flip(in, sum, flip, totals, first, stop);
    auto energy = hn::Zero(d);
    for (std::size_t v = first; v < stop; ++v) {
      const Complex<T> here = load(in.data + v * stride), total = load(totals + (v - first) * stride);
      energy = hn::MulAdd(here.im, total.im, hn::MulAdd(here.re, total.re, energy));
      if (out.data != nullptr) store(total, out.data + v * stride);
    }
    HWY_ALIGN T parts[HWY_MAX_BYTES / sizeof(T)];
    hn::Store(energy, d, parts);
    for (std::size_t lane = 0; lane < lanes; ++lane) value[lane] += static_cast<double>(parts[lane]);
  }
}

template <class T>
void gram(LaneView<T> a, LaneView<T> b, double* out) {
  const typename Lane<T>::D d;
  const std::size_t lanes = Lane<T>::count(), stride = 2 * lanes;
  for (std::size_t first = 0; first < a.vectors(); first += kShort) {
    const std::size_t stop = first + kShort < a.vectors() ? first + kShort : a.vectors();
    for (std::size_t turn = 0; turn < lanes; ++turn) {
      const auto index = exchange_lanes<T>(turn);
      auto sum = hn::Zero(d);
      for (std::size_t v = first; v < stop; ++v) {
        const Complex<T> x = load(a.data + v * stride), y = load(b.data + v * stride);
        sum = hn::MulAdd(x.re, hn::TableLookupLanes(y.re, index), sum);
        sum = hn::MulAdd(x.im, hn::TableLookupLanes(y.im, index), sum);
      }
      HWY_ALIGN T parts[HWY_MAX_BYTES / sizeof(T)];
      hn::Store(sum, d, parts);
      for (std::size_t lane = 0; lane < lanes; ++lane)
        out[lanes * lane + (lane ^ turn)] += static_cast<double>(parts[lane]);
    }
  }
}

void half_angles_f64(const double* angles, double* cosines, double* sines, std::size_t count) {
  const hn::ScalableTag<double> d;
  // Highway's argument reduction holds up to here.
  constexpr double kLargest = 39000.0;
  std::size_t i = 0;
  for (; i + hn::Lanes(d) <= count; i += hn::Lanes(d)) {
    const auto half = hn::Mul(hn::LoadU(d, angles + i), hn::Set(d, 0.5));
    if (!hn::AllTrue(d, hn::Lt(hn::Abs(half), hn::Set(d, kLargest)))) break;
    hn::StoreU(hn::Cos(d, half), d, cosines + i);
    hn::StoreU(hn::Sin(d, half), d, sines + i);
  }
  for (; i < count; ++i) {
    cosines[i] = std::cos(angles[i] / 2);
    sines[i] = std::sin(angles[i] / 2);
  }
}

#define SKERRY_LANES(T, suffix)                                                                                     \
  int bits_##suffix() {                                                                                             \
    return std::countr_zero(Lane<T>::count());                                                                      \
  }                                                                                                                 \
  void apply_##suffix(LaneView<T> x, const LaneGate& g, const T* m, std::size_t b, std::size_t e) {                 \
    apply<T>(x, g, m, b, e);                                                                                        \
  }                                                                                                                 \
  void unapply_##suffix(LaneView<T> k, LaneView<T> x, const LaneGate& g, const T* m, bool a, T* s, std::size_t b,   \
                        std::size_t e) {                                                                            \
    unapply<T>(k, x, g, m, a, s, b, e);                                                                             \
  }                                                                                                                 \
  void pauli_##suffix(LaneView<T> i, LaneView<T> o, const LaneSum<T>& s, double* v, std::size_t b, std::size_t e) { \
    pauli<T>(i, o, s, v, b, e);                                                                                     \
  }                                                                                                                 \
  void gram_##suffix(LaneView<T> a, LaneView<T> b, double* out) {                                                   \
    gram<T>(a, b, out);                                                                                             \
  }
SKERRY_LANES(float, f32)
SKERRY_LANES(double, f64)
#undef SKERRY_LANES

}  // namespace HWY_NAMESPACE
}  // namespace skerry::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace skerry::kernels {
namespace {

HWY_EXPORT(bits_f32);
HWY_EXPORT(bits_f64);
HWY_EXPORT(apply_f32);
HWY_EXPORT(apply_f64);
HWY_EXPORT(unapply_f32);
HWY_EXPORT(unapply_f64);
HWY_EXPORT(pauli_f32);
HWY_EXPORT(pauli_f64);
HWY_EXPORT(gram_f32);
HWY_EXPORT(gram_f64);
HWY_EXPORT(half_angles_f64);

}  // namespace

#define SKERRY_LANES(T, suffix)                                                                                    \
  template <>                                                                                                      \
  int lane_bits<T>() {                                                                                             \
    return HWY_DYNAMIC_DISPATCH(bits_##suffix)();                                                                  \
  }                                                                                                                \
  template <>                                                                                                      \
  void lane_apply<T>(LaneView<T> x, const LaneGate& g, const T* m, std::size_t b, std::size_t e) {                 \
    HWY_DYNAMIC_DISPATCH(apply_##suffix)(x, g, m, b, e);                                                           \
  }                                                                                                                \
  template <>                                                                                                      \
  void lane_unapply<T>(LaneView<T> k, LaneView<T> x, const LaneGate& g, const T* m, bool a, T* s, std::size_t b,   \
                       std::size_t e) {                                                                            \
    HWY_DYNAMIC_DISPATCH(unapply_##suffix)(k, x, g, m, a, s, b, e);                                                \
  }                                                                                                                \
  template <>                                                                                                      \
  void lane_pauli<T>(LaneView<T> i, LaneView<T> o, const LaneSum<T>& s, double* v, std::size_t b, std::size_t e) { \
    HWY_DYNAMIC_DISPATCH(pauli_##suffix)(i, o, s, v, b, e);                                                        \
  }                                                                                                                \
  template <>                                                                                                      \
  void lane_gram<T>(LaneView<T> a, LaneView<T> b, double* out) {                                                   \
    HWY_DYNAMIC_DISPATCH(gram_##suffix)(a, b, out);                                                                \
  }
SKERRY_LANES(float, f32)
SKERRY_LANES(double, f64)
#undef SKERRY_LANES

void half_angles(std::span<const double> angles, std::span<double> cosines, std::span<double> sines) {
  HWY_DYNAMIC_DISPATCH(half_angles_f64)(angles.data(), cosines.data(), sines.data(), angles.size());
}

}  // namespace skerry::kernels
#endif
