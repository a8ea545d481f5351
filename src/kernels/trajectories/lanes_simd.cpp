// Trajectories in lanes, one source for every instruction set. Every line is a whole number of vectors, there are no
// tails, and a trajectory never looks at its neighbours.

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/trajectories/lanes_simd.cpp"
#include "kernels/trajectories/lanes_simd.hpp"

#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <bit>

HWY_BEFORE_NAMESPACE();
namespace skerry::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

template <class T>
using Tag = hn::CappedTag<T, kTrajectories<T>>;

template <class T>
struct Number {
  hn::Vec<Tag<T>> re, im;
};

template <class T>
HWY_INLINE Number<T> load(const ComplexLine<T>& from, std::size_t lane) {
  const Tag<T> d;
  return {hn::Load(d, from.re.of.data() + lane), hn::Load(d, from.im.of.data() + lane)};
}
template <class T>
HWY_INLINE void store(const Number<T>& v, ComplexLine<T>& to, std::size_t lane) {
  const Tag<T> d;
  hn::Store(v.re, d, to.re.of.data() + lane);
  hn::Store(v.im, d, to.im.of.data() + lane);
}
template <class T>
HWY_INLINE Number<T> times(const Number<T>& m, const Number<T>& x) {
  return {hn::NegMulAdd(m.im, x.im, hn::Mul(m.re, x.re)), hn::MulAdd(m.im, x.re, hn::Mul(m.re, x.im))};
}
template <class T>
HWY_INLINE Number<T> add(const Number<T>& m, const Number<T>& x, const Number<T>& sum) {
  return {hn::NegMulAdd(m.im, x.im, hn::MulAdd(m.re, x.re, sum.re)),
          hn::MulAdd(m.im, x.re, hn::MulAdd(m.re, x.im, sum.im))};
}

template <class T>
void one(ComplexLine<T>* x, GroupIndex at, std::size_t stride, const LaneMatrix2<T>& m, std::size_t begin,
         std::size_t end) {
  for (std::size_t lane = 0; lane < kTrajectories<T>; lane += hn::Lanes(Tag<T>())) {
    const Number<T> a = load(m[0], lane), b = load(m[1], lane), c = load(m[2], lane), e = load(m[3], lane);
    std::size_t i = at(begin);
    for (std::size_t group = begin; group < end; ++group, i = at.next(i)) {
      const Number<T> x0 = load(x[i], lane), x1 = load(x[i | stride], lane);
      store(add(b, x1, times(a, x0)), x[i], lane);
      store(add(e, x1, times(c, x0)), x[i | stride], lane);
    }
  }
}

template <class T>
void two(ComplexLine<T>* x, GroupIndex at, std::size_t a, const LaneMatrix2<T>& ma, std::size_t b,
         const LaneMatrix2<T>& mb, std::size_t begin, std::size_t end) {
  for (std::size_t lane = 0; lane < kTrajectories<T>; lane += hn::Lanes(Tag<T>())) {
    const Number<T> a0 = load(ma[0], lane), a1 = load(ma[1], lane), a2 = load(ma[2], lane), a3 = load(ma[3], lane);
    const Number<T> b0 = load(mb[0], lane), b1 = load(mb[1], lane), b2 = load(mb[2], lane), b3 = load(mb[3], lane);
    std::size_t i = at(begin);
    for (std::size_t group = begin; group < end; ++group, i = at.next(i)) {
      const Number<T> x0 = load(x[i], lane), x1 = load(x[i | a], lane);
      const Number<T> x2 = load(x[i | b], lane), x3 = load(x[i | a | b], lane);
      const Number<T> y0 = add(a1, x1, times(a0, x0)), y1 = add(a3, x1, times(a2, x0));
      const Number<T> y2 = add(a1, x3, times(a0, x2)), y3 = add(a3, x3, times(a2, x2));
      store(add(b1, y2, times(b0, y0)), x[i], lane);
      store(add(b1, y3, times(b0, y1)), x[i | a], lane);
      store(add(b3, y2, times(b2, y0)), x[i | b], lane);
      store(add(b3, y3, times(b2, y1)), x[i | a | b], lane);
    }
  }
}

template <class T>
void four(ComplexLine<T>* x, GroupIndex at, std::size_t a, std::size_t b, const LaneMatrix4<T>& m, std::size_t begin,
          std::size_t end) {
  const std::size_t places[] = {0, a, b, a | b};
  for (std::size_t lane = 0; lane < kTrajectories<T>; lane += hn::Lanes(Tag<T>())) {
    std::size_t i = at(begin);
    for (std::size_t group = begin; group < end; ++group, i = at.next(i)) {
      const Number<T> x0 = load(x[i], lane), x1 = load(x[i | a], lane);
      const Number<T> x2 = load(x[i | b], lane), x3 = load(x[i | a | b], lane);
      for (std::size_t r = 0; r < 4; ++r) {
        Number<T> sum = times(load(m[4 * r], lane), x0);
        sum = add(load(m[4 * r + 1], lane), x1, sum);
        sum = add(load(m[4 * r + 2], lane), x2, sum);
        sum = add(load(m[4 * r + 3], lane), x3, sum);
        store(sum, x[i | places[r]], lane);
      }
    }
  }
}

template <class T>
void phase(ComplexLine<T>* x, GroupIndex at, const ComplexLine<T>& factor, std::size_t begin, std::size_t end) {
  for (std::size_t lane = 0; lane < kTrajectories<T>; lane += hn::Lanes(Tag<T>())) {
    const Number<T> f = load(factor, lane);
    std::size_t i = at(begin);
    for (std::size_t group = begin; group < end; ++group, i = at.next(i)) store(times(f, load(x[i], lane)), x[i], lane);
  }
}

/// rho += a_r conj(a_c), lower triangle.
template <class T>
void reduced(const ComplexLine<T>* x, GroupIndex at, std::span<const std::size_t> places, ComplexLine<T>* rho,
             std::size_t begin, std::size_t end) {
  const Tag<T> d;
  const std::size_t n = places.size();
  for (std::size_t lane = 0; lane < kTrajectories<T>; lane += hn::Lanes(d)) {
    for (std::size_t r = 0; r < n; ++r) {
      for (std::size_t c = 0; c <= r; ++c) {
        Number<T> sum = load(rho[r * n + c], lane);
        std::size_t i = at(begin);
        for (std::size_t group = begin; group < end; ++group, i = at.next(i)) {
          const Number<T> p = load(x[i | places[r]], lane), q = load(x[i | places[c]], lane);
          sum.re = hn::MulAdd(p.re, q.re, hn::MulAdd(p.im, q.im, sum.re));
          sum.im = hn::MulAdd(p.im, q.re, hn::NegMulAdd(p.re, q.im, sum.im));
        }
        store(sum, rho[r * n + c], lane);
      }
    }
  }
}

template <class T>
void squares(const ComplexLine<T>* x, std::size_t begin, std::size_t end, Line<T>& out) {
  const Tag<T> d;
  for (std::size_t lane = 0; lane < kTrajectories<T>; lane += hn::Lanes(d)) {
    auto sum = hn::Zero(d);
    for (std::size_t i = begin; i < end; ++i) {
      const Number<T> a = load(x[i], lane);
      sum = hn::MulAdd(a.re, a.re, hn::MulAdd(a.im, a.im, sum));
    }
    hn::Store(sum, d, out.of.data() + lane);
  }
}

/// Sum of (-1)^(z . i) Re or Im of conj(a[i ^ x]) a[i]: which of the two, the number of Y in the string says.
template <class T>
void pauli(const ComplexLine<T>* x, std::uint64_t flips, std::uint64_t signs, std::size_t begin, std::size_t end,
           Line<T>& out) {
  const Tag<T> d;
  const bool imaginary = std::popcount(flips & signs) % 2 != 0;
  for (std::size_t lane = 0; lane < kTrajectories<T>; lane += hn::Lanes(d)) {
    auto sum = hn::Zero(d);
    for (std::size_t i = begin; i < end; ++i) {
      const Number<T> a = load(x[i], lane), b = load(x[i ^ flips], lane);
      const auto value =
          imaginary ? hn::NegMulAdd(b.im, a.re, hn::Mul(b.re, a.im)) : hn::MulAdd(b.im, a.im, hn::Mul(b.re, a.re));
      sum = std::popcount(signs & i) % 2 == 0 ? hn::Add(sum, value) : hn::Sub(sum, value);
    }
    hn::Store(sum, d, out.of.data() + lane);
  }
}

#define SKERRY_LANES(T, suffix)                                                                                    \
  void one_##suffix(ComplexLine<T>* x, GroupIndex at, std::size_t s, const LaneMatrix2<T>& m, std::size_t b,       \
                    std::size_t e) {                                                                               \
    one<T>(x, at, s, m, b, e);                                                                                     \
  }                                                                                                                \
  void two_##suffix(ComplexLine<T>* x, GroupIndex at, std::size_t a, const LaneMatrix2<T>& ma, std::size_t w,      \
                    const LaneMatrix2<T>& mb, std::size_t b, std::size_t e) {                                      \
    two<T>(x, at, a, ma, w, mb, b, e);                                                                             \
  }                                                                                                                \
  void four_##suffix(ComplexLine<T>* x, GroupIndex at, std::size_t a, std::size_t w, const LaneMatrix4<T>& m,      \
                     std::size_t b, std::size_t e) {                                                               \
    four<T>(x, at, a, w, m, b, e);                                                                                 \
  }                                                                                                                \
  void phase_##suffix(ComplexLine<T>* x, GroupIndex at, const ComplexLine<T>& f, std::size_t b, std::size_t e) {   \
    phase<T>(x, at, f, b, e);                                                                                      \
  }                                                                                                                \
  void reduced_##suffix(const ComplexLine<T>* x, GroupIndex at, std::span<const std::size_t> p, ComplexLine<T>* r, \
                        std::size_t b, std::size_t e) {                                                            \
    reduced<T>(x, at, p, r, b, e);                                                                                 \
  }                                                                                                                \
  void squares_##suffix(const ComplexLine<T>* x, std::size_t b, std::size_t e, Line<T>& out) {                     \
    squares<T>(x, b, e, out);                                                                                      \
  }                                                                                                                \
  void pauli_##suffix(const ComplexLine<T>* x, std::uint64_t f, std::uint64_t s, std::size_t b, std::size_t e,     \
                      Line<T>& out) {                                                                              \
    pauli<T>(x, f, s, b, e, out);                                                                                  \
  }
SKERRY_LANES(float, f32)
SKERRY_LANES(double, f64)
#undef SKERRY_LANES

}  // namespace HWY_NAMESPACE
}  // namespace skerry::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace skerry::kernels {

#define SKERRY_EXPORT(suffix)   \
  HWY_EXPORT(one_##suffix);     \
  HWY_EXPORT(two_##suffix);     \
  HWY_EXPORT(four_##suffix);    \
  HWY_EXPORT(phase_##suffix);   \
  HWY_EXPORT(reduced_##suffix); \
  HWY_EXPORT(squares_##suffix); \
  HWY_EXPORT(pauli_##suffix);
namespace {
SKERRY_EXPORT(f32)
SKERRY_EXPORT(f64)
}  // namespace
#undef SKERRY_EXPORT

#define SKERRY_SET(suffix)                                                                                        \
  {                                                                                                               \
    [](auto* x, GroupIndex at, std::size_t s, const auto& m, std::size_t b, std::size_t e) {                      \
      HWY_DYNAMIC_DISPATCH(one_##suffix)(x, at, s, m, b, e);                                                      \
    },                                                                                                            \
        [](auto* x, GroupIndex at, std::size_t a, const auto& ma, std::size_t w, const auto& mb, std::size_t b,   \
           std::size_t e) {                                                                                       \
          HWY_DYNAMIC_DISPATCH(two_##suffix)                                                                      \
          (x, at, a, ma, w, mb, b, e);                                                                            \
        },                                                                                                        \
        [](auto* x, GroupIndex at, std::size_t a, std::size_t w, const auto& m, std::size_t b, std::size_t e) {   \
          HWY_DYNAMIC_DISPATCH(four_##suffix)(x, at, a, w, m, b, e);                                              \
        },                                                                                                        \
        [](auto* x, GroupIndex at, const auto& f, std::size_t b, std::size_t e) {                                 \
          HWY_DYNAMIC_DISPATCH(phase_##suffix)(x, at, f, b, e);                                                   \
        },                                                                                                        \
        [](const auto* x, GroupIndex at, std::span<const std::size_t> p, auto* r, std::size_t b, std::size_t e) { \
          HWY_DYNAMIC_DISPATCH(reduced_##suffix)(x, at, p, r, b, e);                                              \
        },                                                                                                        \
        [](const auto* x, std::size_t b, std::size_t e, auto& out) {                                              \
          HWY_DYNAMIC_DISPATCH(squares_##suffix)(x, b, e, out);                                                   \
        },                                                                                                        \
        [](const auto* x, std::uint64_t f, std::uint64_t s, std::size_t b, std::size_t e, auto& out) {            \
          HWY_DYNAMIC_DISPATCH(pauli_##suffix)(x, f, s, b, e, out);                                               \
        },                                                                                                        \
  }

template <>
const LaneKernels<float>& lane_kernels<float>() {
  static const LaneKernels<float> set = SKERRY_SET(f32);
  return set;
}
template <>
const LaneKernels<double>& lane_kernels<double>() {
  static const LaneKernels<double> set = SKERRY_SET(f64);
  return set;
}

}  // namespace skerry::kernels
#endif
