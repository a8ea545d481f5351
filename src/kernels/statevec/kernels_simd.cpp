// Gate kernels on vector units, one source for every instruction set, chosen at run time.
//
// A vector holds interleaved amplitudes re im re im …. Multiplying it by a complex number m takes two multiply-adds and
// one exchange of neighbours:
//
//     x            re0 im0 re1 im1
//     Reverse2(x)  im0 re0 im1 re1
//     m x        = (m.re, m.re, …) * x + (-m.im, m.im, …) * Reverse2(x)
//
// Where a run of bases is shorter than a vector (a target or a control on one of the lowest wires), whole vectors are
// updated with an entry of their own for every lane: low controls choose between the gate and the identity, and a low
// target exchanges lanes. Gates of several targets that are not diagonal take scalar loops then.

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/statevec/kernels_simd.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <array>
#include <bit>
#include <utility>

#include "kernels/statevec/kernels.hpp"

#ifndef SKERRY_STATEVEC_REFERENCE
#define SKERRY_STATEVEC_REFERENCE
namespace skerry::kernels {
// A vector of one number has no room for an amplitude: the plain loops are all there is then.
template <class T>
const Kernels<T>& ref_kernels();
}  // namespace skerry::kernels
#endif

HWY_BEFORE_NAMESPACE();
namespace skerry::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// Vectors of interleaved amplitudes.
template <class T>
struct Lanes {
  using D = hn::ScalableTag<T>;
  using V = hn::Vec<D>;
  static std::size_t amplitudes() { return hn::Lanes(D()) / 2; }
  static V load(const std::complex<T>* from) { return hn::LoadU(D(), reinterpret_cast<const T*>(from)); }
  static void store(V v, std::complex<T>* to) { hn::StoreU(v, D(), reinterpret_cast<T*>(to)); }
  static V re(std::complex<T> m) { return hn::Set(D(), m.real()); }
  static V im(std::complex<T> m) { return hn::OddEven(hn::Set(D(), m.imag()), hn::Set(D(), -m.imag())); }
};

/// One matrix entry, spread over vectors.
template <class T>
struct Entry {
  hn::Vec<hn::ScalableTag<T>> re, im;
  explicit Entry(std::complex<T> m) : re(Lanes<T>::re(m)), im(Lanes<T>::im(m)) {}
  /// re twice for each lane; -im, im for each lane.
  template <class V>
  Entry(V real, V imaginary) : re(real), im(imaginary) {}
  /// m x.
  template <class V>
  HWY_INLINE V times(V x, V swapped) const {
    return hn::MulAdd(re, x, hn::Mul(im, swapped));
  }
  /// sum + m x.
  template <class V>
  HWY_INLINE V add(V x, V swapped, V sum) const {
    return hn::MulAdd(re, x, hn::MulAdd(im, swapped, sum));
  }
};

/// m x without the NaN rules of std::complex.
template <class T>
HWY_INLINE std::complex<T> times(std::complex<T> m, std::complex<T> x) {
  return {m.real() * x.real() - m.imag() * x.imag(), m.real() * x.imag() + m.imag() * x.real()};
}

/// An entry for every lane of a vector.
template <class T>
class LaneEntries {
 public:
  /// value(lane) is the entry of an amplitude's lane.
  template <class Value>
  HWY_INLINE explicit LaneEntries(Value value) {
    for (std::size_t lane = 0; lane < Lanes<T>::amplitudes(); ++lane) {
      const std::complex<T> m = value(lane);
      is_one_ = is_one_ && m == std::complex<T>(1);
      re_[2 * lane] = re_[2 * lane + 1] = m.real();
      im_[2 * lane] = -m.imag();
      im_[2 * lane + 1] = m.imag();
    }
  }
  HWY_INLINE Entry<T> entry() const { return Entry<T>(hn::LoadU(D(), re_.data()), hn::LoadU(D(), im_.data())); }
  bool is_one() const { return is_one_; }

 private:
  using D = typename Lanes<T>::D;
  std::array<T, HWY_MAX_BYTES / sizeof(T)> re_, im_;
  bool is_one_ = true;
};

/// Calls fn(index) for the vectors that hold the bases of groups [begin, end), all high controls being 1 and all high
/// targets 0 at index. Precondition: the state is at least a vector long.
template <class Function>
HWY_INLINE void for_vectors(const Groups& groups, std::size_t lanes, std::size_t begin, std::size_t end, Function fn) {
  const std::size_t low = lanes - 1;
  const std::size_t involved = groups.involved() & ~low, controls = groups.controls() & ~low;
  const std::size_t groups_per_vector = lanes >> static_cast<unsigned>(std::popcount(groups.involved() & low));
  std::size_t index = groups.base(begin) & ~low;
  for (std::size_t v = begin / groups_per_vector; v < end / groups_per_vector; ++v) {
    fn(index);
    index = (((index | low | involved) + 1) & ~involved) | controls;
  }
}

/// One target or control below the vector's length.
template <class T>
void dense1_low(StateView<T> state, const Groups& groups, std::span<const std::complex<T>> matrix, std::size_t begin,
                std::size_t end) {
  using L = Lanes<T>;
  const typename L::D d;
  const std::size_t lanes = L::amplitudes();
  const std::size_t stride = groups.offsets()[1];
  const std::size_t controls = groups.controls() & (lanes - 1);
  const auto lane_entry = [&](std::size_t row, std::size_t column) {
    return LaneEntries<T>([&, row, column](std::size_t lane) {
      const bool acts = (lane & controls) == controls;
      return acts ? matrix[2 * row + column] : std::complex<T>(row == column ? 1 : 0);
    });
  };
  if (stride >= lanes) {
    const Entry<T> ea = lane_entry(0, 0).entry(), eb = lane_entry(0, 1).entry();
    const Entry<T> ec = lane_entry(1, 0).entry(), ed = lane_entry(1, 1).entry();
    for_vectors(groups, lanes, begin, end, [&](std::size_t index) {
      std::complex<T>* x = state.amplitudes + index;
      const auto x0 = L::load(x), x1 = L::load(x + stride);
      const auto s0 = hn::Reverse2(d, x0), s1 = hn::Reverse2(d, x1);
      L::store(eb.add(x1, s1, ea.times(x0, s0)), x);
      L::store(ed.add(x1, s1, ec.times(x0, s0)), x + stride);
    });
    return;
  }
  // Each lane's own amplitude, and that of the lane with the other target bit.
  const auto bit = [stride](std::size_t lane) { return (lane & stride) != 0 ? std::size_t{1} : std::size_t{0}; };
  const auto acts = [controls](std::size_t lane) { return (lane & controls) == controls; };
  const Entry<T> own =
      LaneEntries<T>([&](std::size_t lane) { return acts(lane) ? matrix[3 * bit(lane)] : std::complex<T>(1); }).entry();
  const Entry<T> other =
      LaneEntries<T>([&](std::size_t lane) { return acts(lane) ? matrix[1 + bit(lane)] : std::complex<T>(0); }).entry();
  std::array<hwy::MakeSigned<T>, HWY_MAX_BYTES / sizeof(T)> partner;
  for (std::size_t i = 0; i < 2 * lanes; ++i) partner[i] = static_cast<hwy::MakeSigned<T>>(i ^ (2 * stride));
  const auto indices = hn::SetTableIndices(d, partner.data());
  for_vectors(groups, lanes, begin, end, [&](std::size_t index) {
    const auto x = L::load(state.amplitudes + index);
    const auto y = hn::TableLookupLanes(x, indices);
    const auto sum = own.times(x, hn::Reverse2(d, x));
    L::store(other.add(y, hn::Reverse2(d, y), sum), state.amplitudes + index);
  });
}

/// True where the vectors hold several groups, or parts of them, side by side.
template <class T>
bool is_low(StateView<T> state, const Groups& groups) {
  return groups.run() < Lanes<T>::amplitudes() && state.size() >= Lanes<T>::amplitudes();
}

template <class T>
void dense1(StateView<T> state, const Groups& groups, std::span<const std::complex<T>> matrix, std::size_t begin,
            std::size_t end) {
  using L = Lanes<T>;
  const std::size_t lanes = L::amplitudes();
  const std::size_t stride = groups.offsets()[1];
  const std::complex<T> a = matrix[0], b = matrix[1], c = matrix[2], d = matrix[3];
  if (is_low(state, groups)) return dense1_low(state, groups, matrix, begin, end);
  if (groups.run() < lanes) {
    groups.for_runs(begin, end, [&](std::size_t base, std::size_t length) {
      std::complex<T>* x = state.amplitudes + base;
      for (std::size_t j = 0; j < length; ++j) {
        const std::complex<T> x0 = x[j], x1 = x[j + stride];
        x[j] = times(a, x0) + times(b, x1);
        x[j + stride] = times(c, x0) + times(d, x1);
      }
    });
    return;
  }
  const Entry<T> ea(a), eb(b), ec(c), ed(d);
  groups.for_runs(begin, end, [&](std::size_t base, std::size_t length) {
    std::complex<T>* x = state.amplitudes + base;
    for (std::size_t j = 0; j < length; j += lanes) {
      const auto x0 = L::load(x + j), x1 = L::load(x + j + stride);
      const auto s0 = hn::Reverse2(typename L::D(), x0), s1 = hn::Reverse2(typename L::D(), x1);
      L::store(eb.add(x1, s1, ea.times(x0, s0)), x + j);
      L::store(ed.add(x1, s1, ec.times(x0, s0)), x + j + stride);
    }
  });
}

template <class T>
void dense_any(StateView<T> state, const Groups& groups, std::span<const std::complex<T>> matrix, std::size_t begin,
               std::size_t end) {
  const auto offsets = groups.offsets();
  const std::size_t rows = offsets.size();
  std::array<std::complex<T>, std::size_t{1} << kMaxDenseTargets> in;
  groups.for_runs(begin, end, [&](std::size_t base, std::size_t length) {
    for (std::size_t j = 0; j < length; ++j) {
      std::complex<T>* x = state.amplitudes + base + j;
      for (std::size_t r = 0; r < rows; ++r) in[r] = x[offsets[r]];
      for (std::size_t r = 0; r < rows; ++r) {
        std::complex<T> sum = 0;
        for (std::size_t c = 0; c < rows; ++c) sum += times(matrix[r * rows + c], in[c]);
        x[offsets[r]] = sum;
      }
    }
  });
}

/// Several groups at once for two to kVectorTargets targets and runs of at least a vector.
constexpr std::size_t kVectorTargets = 6;

template <class T>
void dense_vector(StateView<T> state, const Groups& groups, std::span<const std::complex<T>> matrix, std::size_t begin,
                  std::size_t end) {
  using L = Lanes<T>;
  const std::size_t lanes = L::amplitudes();
  const auto offsets = groups.offsets();
  const std::size_t rows = offsets.size();
  // Members of `lanes` neighbouring groups: rows x lanes amplitudes, 64 bytes at most a row.
  alignas(64) std::array<std::complex<T>, (std::size_t{64} << kVectorTargets) / sizeof(std::complex<T>)> in;
  groups.for_runs(begin, end, [&](std::size_t base, std::size_t length) {
    for (std::size_t j = 0; j < length; j += lanes) {
      std::complex<T>* x = state.amplitudes + base + j;
      for (std::size_t r = 0; r < rows; ++r) L::store(L::load(x + offsets[r]), in.data() + r * lanes);
      for (std::size_t r = 0; r < rows; ++r) {
        const std::complex<T>* m = matrix.data() + r * rows;
        auto sum = hn::Zero(typename L::D());
        auto swapped_sum = hn::Zero(typename L::D());
        for (std::size_t c = 0; c < rows; ++c) {
          const auto v = L::load(in.data() + c * lanes);
          sum = hn::MulAdd(L::re(m[c]), v, sum);
          swapped_sum = hn::MulAdd(hn::Set(typename L::D(), m[c].imag()), v, swapped_sum);
        }
        // i (re, im) = (-im, re): one exchange for the whole row.
        const auto turned = hn::Mul(L::im({0, 1}), hn::Reverse2(typename L::D(), swapped_sum));
        L::store(hn::Add(sum, turned), x + offsets[r]);
      }
    }
  });
}

template <class T>
void dense(StateView<T> state, const Groups& groups, std::span<const std::complex<T>> matrix, std::size_t begin,
           std::size_t end) {
  const std::size_t rows = groups.offsets().size();
  if (rows == 2) return dense1(state, groups, matrix, begin, end);
  // The stack buffer of dense_vector is laid out for vectors of at most 64 bytes.
  const bool fits = rows <= std::size_t{1} << kVectorTargets && Lanes<T>::amplitudes() * sizeof(std::complex<T>) <= 64;
  if (fits && groups.run() >= Lanes<T>::amplitudes()) return dense_vector(state, groups, matrix, begin, end);
  dense_any(state, groups, matrix, begin, end);
}

/// x[0 .. length) *= m.
template <class T>
HWY_INLINE void scale(std::complex<T>* x, std::size_t length, std::complex<T> m, const Entry<T>& entry) {
  using L = Lanes<T>;
  const std::size_t lanes = L::amplitudes();
  if (length < lanes) {
    for (std::size_t j = 0; j < length; ++j) x[j] = times(m, x[j]);
    return;
  }
  for (std::size_t j = 0; j < length; j += lanes) {
    const auto v = L::load(x + j);
    L::store(entry.times(v, hn::Reverse2(typename L::D(), v)), x + j);
  }
}

/// A target or control below the vector's length.
template <class T>
void diagonal_low(StateView<T> state, const Groups& groups, std::span<const std::complex<T>> entries, std::size_t begin,
                  std::size_t end) {
  using L = Lanes<T>;
  const std::size_t lanes = L::amplitudes();
  const std::size_t controls = groups.controls() & (lanes - 1);
  const auto offsets = groups.offsets();
  for (std::size_t member = 0; member < offsets.size(); ++member) {
    const std::size_t high = offsets[member];
    if ((high & (lanes - 1)) != 0) continue;  // the lanes see to the low targets
    // Entry of a lane: the row whose high bits are the member's and whose low bits are the lane's.
    const LaneEntries<T> lane_entries([&](std::size_t lane) {
      if ((lane & controls) != controls) return std::complex<T>(1);
      const std::size_t wanted = high | (lane & groups.involved() & ~groups.controls());
      for (std::size_t r = member; r < offsets.size(); ++r)
        if (offsets[r] == wanted) return entries[r];
      return std::complex<T>(1);
    });
    if (lane_entries.is_one()) continue;
    const Entry<T> entry = lane_entries.entry();
    for_vectors(groups, lanes, begin, end, [&](std::size_t index) {
      std::complex<T>* x = state.amplitudes + index + high;
      const auto v = L::load(x);
      L::store(entry.times(v, hn::Reverse2(typename L::D(), v)), x);
    });
  }
}

template <class T>
void diagonal(StateView<T> state, const Groups& groups, std::span<const std::complex<T>> entries, std::size_t begin,
              std::size_t end) {
  const auto offsets = groups.offsets();
  if (is_low(state, groups) && entries.size() <= 4) return diagonal_low(state, groups, entries, begin, end);
  if (entries.size() == 1) {
    const Entry<T> entry(entries[0]);
    groups.for_runs(begin, end, [&](std::size_t base, std::size_t length) {
      scale(state.amplitudes + base, length, entries[0], entry);
    });
    return;
  }
  if (entries.size() == 2) {
    const Entry<T> entry0(entries[0]), entry1(entries[1]);
    const bool first = entries[0] != std::complex<T>(1), second = entries[1] != std::complex<T>(1);
    groups.for_runs(begin, end, [&](std::size_t base, std::size_t length) {
      if (first) scale(state.amplitudes + base, length, entries[0], entry0);
      if (second) scale(state.amplitudes + base + offsets[1], length, entries[1], entry1);
    });
    return;
  }
  groups.for_runs(begin, end, [&](std::size_t base, std::size_t length) {
    for (std::size_t r = 0; r < entries.size(); ++r) {
      if (entries[r] == std::complex<T>(1)) continue;
      scale(state.amplitudes + base + offsets[r], length, entries[r], Entry<T>(entries[r]));
    }
  });
}

/// Exchanges x[0 .. length) and y[0 .. length) for a permutation that moves two members: x <- p y, y <- q x.
template <class T>
HWY_INLINE void exchange(std::complex<T>* x, std::complex<T>* y, std::size_t length, std::complex<T> p,
                         std::complex<T> q, const Entry<T>& vector_p, const Entry<T>& vector_q, bool plain) {
  using L = Lanes<T>;
  const std::size_t lanes = L::amplitudes();
  if (length < lanes) {
    for (std::size_t j = 0; j < length; ++j) {
      const std::complex<T> kept = x[j];
      x[j] = plain ? y[j] : times(p, y[j]);
      y[j] = plain ? kept : times(q, kept);
    }
    return;
  }
  const typename L::D d;
  for (std::size_t j = 0; j < length; j += lanes) {
    const auto vx = L::load(x + j), vy = L::load(y + j);
    L::store(plain ? vy : vector_p.times(vy, hn::Reverse2(d, vy)), x + j);
    L::store(plain ? vx : vector_q.times(vx, hn::Reverse2(d, vx)), y + j);
  }
}

template <class T>
void permute_any(StateView<T> state, const Groups& groups, std::span<const std::uint32_t> sources,
                 std::span<const std::complex<T>> factors, std::size_t begin, std::size_t end) {
  const auto offsets = groups.offsets();
  std::array<std::complex<T>, std::size_t{1} << kMaxDenseTargets> in;
  groups.for_runs(begin, end, [&](std::size_t base, std::size_t length) {
    for (std::size_t j = 0; j < length; ++j) {
      std::complex<T>* x = state.amplitudes + base + j;
      for (std::size_t r = 0; r < sources.size(); ++r) in[r] = x[offsets[r]];
      for (std::size_t r = 0; r < sources.size(); ++r) x[offsets[r]] = times(factors[r], in[sources[r]]);
    }
  });
}

template <class T>
void permute(StateView<T> state, const Groups& groups, std::span<const std::uint32_t> sources,
             std::span<const std::complex<T>> factors, std::size_t begin, std::size_t end) {
  if (sources.size() == 2 && is_low(state, groups)) {
    const bool crossed = sources[0] == 1;
    const std::complex<T> zero(0);
    const std::array<std::complex<T>, 4> matrix = {crossed ? zero : factors[0], crossed ? factors[0] : zero,
                                                   crossed ? factors[1] : zero, crossed ? zero : factors[1]};
    return dense1_low<T>(state, groups, matrix, begin, end);
  }
  // x, y, swap and their controlled kin exchange two members and leave the others alone.
  std::array<std::size_t, 2> moved{};
  std::size_t count = 0;
  for (std::size_t r = 0; r < sources.size(); ++r) {
    if (sources[r] == r && factors[r] == std::complex<T>(1)) continue;
    if (count < 2) moved[count] = r;
    ++count;
  }
  if (count != 2 || sources[moved[0]] != moved[1]) return permute_any(state, groups, sources, factors, begin, end);
  const std::size_t x = groups.offsets()[moved[0]], y = groups.offsets()[moved[1]];
  const std::complex<T> p = factors[moved[0]], q = factors[moved[1]];
  const Entry<T> vector_p(p), vector_q(q);
  const bool plain = p == std::complex<T>(1) && q == std::complex<T>(1);
  groups.for_runs(begin, end, [&](std::size_t base, std::size_t length) {
    exchange(state.amplitudes + base + x, state.amplitudes + base + y, length, p, q, vector_p, vector_q, plain);
  });
}

#if HWY_TARGET == HWY_SCALAR
#define SKERRY_STATEVEC_CALL(kernel, T) ref_kernels<T>().kernel
#else
#define SKERRY_STATEVEC_CALL(kernel, T) kernel<T>
#endif

// HWY_EXPORT takes plain functions, so each kernel has a name per precision.
#define SKERRY_STATEVEC_BOTH(kernel, Argument)                                                              \
  void kernel##_f32(StateView<float> state, const Groups& groups, std::span<const std::complex<float>> m,   \
                    std::size_t begin, std::size_t end) {                                                   \
    SKERRY_STATEVEC_CALL(kernel, float)(state, groups, m, begin, end);                                      \
  }                                                                                                         \
  void kernel##_f64(StateView<double> state, const Groups& groups, std::span<const std::complex<double>> m, \
                    std::size_t begin, std::size_t end) {                                                   \
    SKERRY_STATEVEC_CALL(kernel, double)(state, groups, m, begin, end);                                     \
  }
SKERRY_STATEVEC_BOTH(dense, matrix)
SKERRY_STATEVEC_BOTH(diagonal, entries)
#undef SKERRY_STATEVEC_BOTH
void permute_f32(StateView<float> state, const Groups& groups, std::span<const std::uint32_t> sources,
                 std::span<const std::complex<float>> factors, std::size_t begin, std::size_t end) {
  SKERRY_STATEVEC_CALL(permute, float)(state, groups, sources, factors, begin, end);
}
void permute_f64(StateView<double> state, const Groups& groups, std::span<const std::uint32_t> sources,
                 std::span<const std::complex<double>> factors, std::size_t begin, std::size_t end) {
  SKERRY_STATEVEC_CALL(permute, double)(state, groups, sources, factors, begin, end);
}
#undef SKERRY_STATEVEC_CALL

}  // namespace HWY_NAMESPACE
}  // namespace skerry::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace skerry::kernels {
namespace {

HWY_EXPORT(dense_f32);
HWY_EXPORT(dense_f64);
HWY_EXPORT(diagonal_f32);
HWY_EXPORT(diagonal_f64);
HWY_EXPORT(permute_f32);
HWY_EXPORT(permute_f64);

}  // namespace

template <class T>
const Kernels<T>& simd_kernels();
template <>
const Kernels<float>& simd_kernels<float>() {
  static const Kernels<float> set = {"simd",
                                     [](auto... args) {
                                       HWY_DYNAMIC_DISPATCH(dense_f32)
                                       (args...);
                                     },
                                     [](auto... args) {
                                       HWY_DYNAMIC_DISPATCH(diagonal_f32)
                                       (args...);
                                     },
                                     [](auto... args) {
                                       HWY_DYNAMIC_DISPATCH(permute_f32)
                                       (args...);
                                     }};
  return set;
}
template <>
const Kernels<double>& simd_kernels<double>() {
  static const Kernels<double> set = {"simd",
                                      [](auto... args) {
                                        HWY_DYNAMIC_DISPATCH(dense_f64)
                                        (args...);
                                      },
                                      [](auto... args) {
                                        HWY_DYNAMIC_DISPATCH(diagonal_f64)
                                        (args...);
                                      },
                                      [](auto... args) {
                                        HWY_DYNAMIC_DISPATCH(permute_f64)
                                        (args...);
                                      }};
  return set;
}

}  // namespace skerry::kernels
#endif
