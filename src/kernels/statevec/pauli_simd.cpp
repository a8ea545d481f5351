// The inner loop of Pauli expectation values on vector units: sums of products of a state with itself, moved by x.
//
// Interleaved amplitudes make Re(conj(a) b) the plain dot product of two vectors of numbers, and Im(conj(a) b) that of
// one with the other's parts exchanged and one of them negated.

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/statevec/pauli_simd.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <array>
#include <bit>
#include <cstdint>
#include <utility>

#include "kernels/statevec/pauli_run.hpp"

HWY_BEFORE_NAMESPACE();
namespace skerry::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

#if HWY_TARGET == HWY_SCALAR

// A vector of one number has no room for an amplitude.
template <class T>
void add_all(const PauliRun<T>& run, double* sums) {
  for (std::size_t i = run.begin; i < run.end; ++i) {
    if ((i & run.skip) != 0) continue;
    const std::complex<T> a = run.amplitudes[i ^ run.x], b = run.amplitudes[i];
    const double even = a.real() * b.real() + a.imag() * b.imag(), odd = a.real() * b.imag() - a.imag() * b.real();
    for (std::size_t s = 0; s < run.count; ++s) {
      const double product = run.imaginary[s] ? odd : even;
      sums[s] += (std::popcount(i & run.z[s]) & 1) != 0 ? -product : product;
    }
  }
}
template <class T>
std::size_t amplitudes_in_vector() {
  return 1;
}

#else

/// Strings that go over the amplitudes together.
constexpr std::size_t kTogether = 4;

template <class T>
struct Lanes {
  std::array<T, HWY_MAX_BYTES / sizeof(T)> at;
};

/// Products of a string whose sign flips with the lowest wires, on vectors in registers.
template <class T, std::size_t strings>
void add_strings(const PauliRun<T>& run, const std::size_t* which, double* sums) {
  const hn::ScalableTag<T> d;
  const std::size_t lanes = hn::Lanes(d), amplitudes = lanes / 2;
  const std::uint64_t low = amplitudes - 1;
  // The sign of a number by the wires within a vector, both ways round.
  std::array<Lanes<T>, strings> plus, minus;
  for (std::size_t s = 0; s < strings; ++s) {
    const std::uint64_t z = run.z[which[s]] & low;
    const bool odd = run.imaginary[which[s]];
    for (std::size_t lane = 0; lane < lanes; ++lane) {
      const bool negative = (std::popcount(z & (lane / 2)) & 1) != 0;
      // Im(conj(a) b) = a.re b.im - a.im b.re, with b's parts exchanged.
      plus[s].at[lane] = negative != (odd && (lane & 1) != 0) ? T(-1) : T(1);
      minus[s].at[lane] = -plus[s].at[lane];
    }
  }
  std::array<hwy::MakeSigned<T>, HWY_MAX_BYTES / sizeof(T)> partner{};
  for (std::size_t lane = 0; lane < lanes; ++lane)
    partner[lane] = static_cast<hwy::MakeSigned<T>>(lane ^ (2 * (run.x & low)));
  const auto from = hn::SetTableIndices(d, partner.data());
  const bool stays = (run.x & low) == 0;
  std::array<bool, strings> odd{};
  for (std::size_t s = 0; s < strings; ++s) odd[s] = run.imaginary[which[s]];
  const T* numbers = reinterpret_cast<const T*>(run.amplitudes);
  // Short runs in the state's precision, their sums in double.
  constexpr std::size_t short_run = 64;
  for (std::size_t begin = run.begin; begin < run.end; begin += short_run * amplitudes) {
    const std::size_t end = begin + short_run * amplitudes < run.end ? begin + short_run * amplitudes : run.end;
    auto sum0 = hn::Zero(d), sum1 = hn::Zero(d), sum2 = hn::Zero(d), sum3 = hn::Zero(d);
    for (std::size_t i = begin; i < end; i += amplitudes) {
      // A pair is met twice; once is enough.
      if ((i & run.skip) != 0) {
        i |= run.skip - 1;
        i -= low;
        continue;
      }
      auto there = hn::LoadU(d, numbers + 2 * (i ^ (run.x & ~low)));
      if (!stays) there = hn::TableLookupLanes(there, from);
      const auto here = hn::LoadU(d, numbers + 2 * i);
      const auto even = hn::Mul(there, here), crossed = hn::Mul(there, hn::Reverse2(d, here));
      const auto term = [&](std::size_t s) HWY_ATTR {
        const auto& signs = (std::popcount(run.z[which[s]] & i & ~low) & 1) != 0 ? minus[s] : plus[s];
        return hn::Mul(hn::LoadU(d, signs.at.data()), odd[s] ? crossed : even);
      };
      sum0 = hn::Add(sum0, term(0));
      if constexpr (strings > 1) sum1 = hn::Add(sum1, term(1));
      if constexpr (strings > 2) sum2 = hn::Add(sum2, term(2));
      if constexpr (strings > 3) sum3 = hn::Add(sum3, term(3));
    }
    sums[0] += static_cast<double>(hn::GetLane(hn::SumOfLanes(d, sum0)));
    if constexpr (strings > 1) sums[1] += static_cast<double>(hn::GetLane(hn::SumOfLanes(d, sum1)));
    if constexpr (strings > 2) sums[2] += static_cast<double>(hn::GetLane(hn::SumOfLanes(d, sum2)));
    if constexpr (strings > 3) sums[3] += static_cast<double>(hn::GetLane(hn::SumOfLanes(d, sum3)));
  }
}

template <class T>
void add_all(const PauliRun<T>& run, double* sums) {
  std::array<std::size_t, kTogether> which{};
  std::array<double, kTogether> part{};
  for (std::size_t first = 0; first < run.count; first += kTogether) {
    const std::size_t count = run.count - first < kTogether ? run.count - first : kTogether;
    for (std::size_t s = 0; s < count; ++s) which[s] = first + s;
    part.fill(0);
    if (count == 4) add_strings<T, 4>(run, which.data(), part.data());
    if (count == 3) add_strings<T, 3>(run, which.data(), part.data());
    if (count == 2) add_strings<T, 2>(run, which.data(), part.data());
    if (count == 1) add_strings<T, 1>(run, which.data(), part.data());
    for (std::size_t s = 0; s < count; ++s) sums[first + s] += part[s];
  }
}

template <class T>
std::size_t amplitudes_in_vector() {
  return hn::Lanes(hn::ScalableTag<T>()) / 2;
}

#endif

// HWY_EXPORT takes plain functions, so each has a name per precision.
void add_f32(const PauliRun<float>& run, double* sums) {
  add_all<float>(run, sums);
}
void add_f64(const PauliRun<double>& run, double* sums) {
  add_all<double>(run, sums);
}
std::size_t amplitudes_f32() {
  return amplitudes_in_vector<float>();
}
std::size_t amplitudes_f64() {
  return amplitudes_in_vector<double>();
}

}  // namespace HWY_NAMESPACE
}  // namespace skerry::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace skerry::kernels {
namespace {

HWY_EXPORT(add_f32);
HWY_EXPORT(add_f64);
HWY_EXPORT(amplitudes_f32);
HWY_EXPORT(amplitudes_f64);

}  // namespace

template <>
void add_pauli_run<float>(const PauliRun<float>& run, double* sums) {
  HWY_DYNAMIC_DISPATCH(add_f32)(run, sums);
}
template <>
void add_pauli_run<double>(const PauliRun<double>& run, double* sums) {
  HWY_DYNAMIC_DISPATCH(add_f64)(run, sums);
}
template <>
std::size_t pauli_vector<float>() {
  return HWY_DYNAMIC_DISPATCH(amplitudes_f32)();
}
template <>
std::size_t pauli_vector<double>() {
  return HWY_DYNAMIC_DISPATCH(amplitudes_f64)();
}

}  // namespace skerry::kernels
#endif
