/// \file
/// Many trajectories of one circuit side by side, one in each lane of the vector units.
///
/// Amplitude i of all trajectories fills two cache lines, real parts and imaginary parts:
///
///     i:  re of trajectory 0 1 2 … L-1 | im of trajectory 0 1 2 … L-1        L = 16 (float) or 8 (double)
///
/// A gate's entries are lines too, so that each trajectory may have a matrix of its own at no cost: an error that is a
/// unitary is multiplied into the gate before it, and nothing remains of it but other numbers. L does not depend on the
/// machine, so neither do the answers.
#pragma once

#include <array>
#include <complex>
#include <cstddef>
#include <cstdint>
#include <skerry/progress.hpp>
#include <span>

namespace skerry::kernels {

template <class T>
inline constexpr std::size_t kTrajectories = 64 / sizeof(T);

/// One number for each trajectory.
template <class T>
struct alignas(64) Line {
  std::array<T, kTrajectories<T>> of{};
};

/// A complex number for each trajectory.
template <class T>
struct ComplexLine {
  Line<T> re, im;
  void set(std::size_t lane, std::complex<double> value) {
    re.of[lane] = static_cast<T>(value.real());
    im.of[lane] = static_cast<T>(value.imag());
  }
  std::complex<double> get(std::size_t lane) const { return {re.of[lane], im.of[lane]}; }
};

/// 2^wires amplitudes of each trajectory; somebody else owns them.
template <class T>
struct LaneState {
  ComplexLine<T>* amplitudes = nullptr;
  int wires = 0;
  std::size_t size() const noexcept { return std::size_t{1} << wires; }
};

/// Row-major 2 x 2 and 4 x 4 matrices, first wire least significant.
template <class T>
using LaneMatrix2 = std::array<ComplexLine<T>, 4>;
template <class T>
using LaneMatrix4 = std::array<ComplexLine<T>, 16>;

// All of these change the state in place, on up to thread_budget() threads where it is large; the result does not
// depend on their number. controls: a mask of wires that must be 1. Errors: what control.check() throws.

/// x <- M x on one wire.
template <class T>
void apply_one(LaneState<T> state, int wire, std::uint64_t controls, const LaneMatrix2<T>& m,
               const RunControl& control);
/// x <- (B on wire b) (A on wire a) x, in one pass.
template <class T>
void apply_two(LaneState<T> state, int a, const LaneMatrix2<T>& ma, int b, const LaneMatrix2<T>& mb,
               const RunControl& control);
/// x <- M x on a pair of wires.
template <class T>
void apply_four(LaneState<T> state, int a, int b, std::uint64_t controls, const LaneMatrix4<T>& m,
                const RunControl& control);
/// Amplitudes whose index has all bits of `mask` are multiplied by the factor.
template <class T>
void apply_phase(LaneState<T> state, std::uint64_t mask, const ComplexLine<T>& factor, const RunControl& control);
/// x <- M x on any wires, the same matrix for the trajectories that are active (1; the others: 0). Scalar loops.
template <class T>
void apply_many(LaneState<T> state, std::span<const int> wires, std::uint64_t controls,
                std::span<const std::complex<double>> m, const Line<T>& active, const RunControl& control);

/// rho[r][c] = sum a_r conj(a_c) over the rest, for one wire or two; row-major, 4^k numbers for each trajectory.
template <class T>
void reduced_density(LaneState<T> state, std::span<const int> wires, std::span<ComplexLine<T>> rho,
                     const RunControl& control);

/// sums[b] = sum of |a_i|^2 over block b of the amplitudes, of which there are sums.size() of equal length.
template <class T>
void block_sums(LaneState<T> state, std::span<Line<T>> sums, const RunControl& control);

/// <P> of a Pauli string for each trajectory, not divided by the norm.
template <class T>
std::array<double, kTrajectories<T>> pauli_expectation(LaneState<T> state, std::uint64_t x, std::uint64_t z,
                                                       const RunControl& control);

}  // namespace skerry::kernels
