/// \file
/// Kernels on a block of Fock kets that lie side by side: one sample is one SIMD lane.
///
/// A block holds `lanes` kets of `amplitudes` complex numbers; amplitude n of all lanes lies at 2 n lanes, first the
/// real parts, then the imaginary parts. Amplitudes are row-major with mode 0 slowest. Lanes never mix, and a lane's
/// arithmetic does not depend on how many there are, so a sample's bits do not depend on its neighbours.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace skerry::kernels::fock {

/// A small dense matrix that a gate applies to amplitudes at offset + i * stride, i < size, for every column.
struct MatrixBlock {
  std::ptrdiff_t offset = 0, stride = 0;
  std::uint32_t size = 0;
  std::size_t matrix = 0;  ///< entry (row, column) is at + row * size + column
};

/// A padding column of a block: the entries of M from a state beyond the cutoff, to which the generator leads from the
/// state at amplitude `edge`.
struct Padding {
  std::size_t entries = 0;  ///< where its `size` entries lie
  std::uint32_t size = 0;
  std::ptrdiff_t offset = 0, edge = 0;
};

/// A gate as the kernels see it. All blocks have one stride.
template <class T>
struct MatrixGate {
  std::vector<MatrixBlock> blocks;
  std::vector<std::ptrdiff_t> columns;  ///< amplitude offsets at which all blocks are repeated
  std::vector<T> entries;
  std::vector<T> imaginary;  ///< of a complex gate: the imaginary part of each entry; else empty
  // The generator of a real gate, antisymmetric and tridiagonal in each block.
  std::vector<T> link_factors;  ///< its entries (i + 1, i), block by block; the entries (i, i + 1) are minus these
  std::vector<Padding> paddings;
  std::vector<T> padding_factors;  ///< its entry (state beyond, edge)
};

/// Unit complex numbers by which amplitudes are multiplied, one for each, or nothing.
template <class T>
struct Phases {
  const T *re = nullptr, *im = nullptr;
};

/// Which numbers moments() fills, each [mode][lanes]; empty spans are left out.
template <class T>
struct Moments {
  T* norm = nullptr;                     ///< [lanes]
  T *x = nullptr, *p = nullptr;          ///< <a + a^>, <-i(a - a^)>
  T *n = nullptr, *n2 = nullptr;         ///< <n>, <n²>
  T *a2_re = nullptr, *a2_im = nullptr;  ///< <a²>
};

/// Shape of a ket for the kernels that know modes.
struct ModeLayout {
  std::size_t amplitudes = 0;
  std::vector<std::size_t> cutoffs, strides;
};

/// One summand of a row of sums over lanes: coefficient * values[value].
struct Term {
  std::uint32_t row = 0, value = 0;
  double coefficient = 0.0;
};

/// The kernels for one element type, compiled for the instruction set in use. `lanes` is a power of two from
/// min_lanes to max_lanes (4 to 16 floats or 2 to 8 doubles with AVX-512). Pointers are 64-byte aligned where lanes
/// fill a cache line. No allocation.
template <class T>
struct KetKernels {
  std::size_t min_lanes, max_lanes;  ///< powers of two
  /// target = phases * M source; target != source. Every amplitude is written if the blocks and columns cover all.
  void (*apply)(std::size_t lanes, const MatrixGate<T>& gate, const Phases<T>& phases, const T* source, T* target);
  /// plain = M^ source, and with phases target = their conjugates * plain; without phases target is not looked at.
  void (*apply_adjoint)(std::size_t lanes, const MatrixGate<T>& gate, const Phases<T>& phases, const T* source,
                        T* plain, T* target);
  /// target = phases (their conjugates) * source; target and source may be the same.
  void (*turn)(std::size_t lanes, std::size_t amplitudes, const Phases<T>& phases, bool conjugates, const T* source,
               T* target);
  /// sum = 2 Re <lambda| M G |before> for a real gate's generator G. `back` is M^ lambda. sum: [lanes].
  void (*link_gradient)(std::size_t lanes, const MatrixGate<T>& gate, const T* before, const T* back, const T* lambda,
                        T* sum);
  /// sum = 2 Re <lambda| M before>, M being the gate's (derivative's) matrix.
  void (*overlap_gradient)(std::size_t lanes, const MatrixGate<T>& gate, const T* before, const T* lambda, T* sum);
  /// What phases that grow like weights[n] at amplitude n add: sums[i] = -2 sum over n of weights[i][n]
  /// Im(conj(lambda_n) psi_n), for each of `weights`. sums: [weights][lanes].
  void (*phase_gradients)(std::size_t lanes, std::size_t amplitudes, std::span<const T* const> weights, const T* psi,
                          const T* lambda, T* const* sums);
  /// ket = coherent states of all modes. alphas: [modes][re, im][lanes]; starts: [modes][lanes], exp(-|alpha|²/2).
  /// scratch: room for the longest mode's vector, 2 cutoff lanes numbers.
  void (*coherent)(std::size_t lanes, const ModeLayout& layout, const T* alphas, const T* starts, T* scratch, T* ket);
  void (*moments)(std::size_t lanes, const ModeLayout& layout, const T* ket, const Moments<T>& out);
  /// lambda = dL/dconj(psi) for L = sum over given moments times cotangents (same layout as Moments; a2 is not used).
  void (*moments_gradient)(std::size_t lanes, const ModeLayout& layout, const T* ket,
                           const Moments<const T>& cotangents, T* lambda);
  /// sums of conj(lambda) psi: out [2][lanes], and of conj(lambda) a_k^ psi for each mode: out[1 + k].
  void (*raised_overlaps)(std::size_t lanes, const ModeLayout& layout, const T* psi, const T* lambda, T* out);
  /// sums[row * stride + lane] += coefficient * values[value * lanes + lane] for each term, in double.
  void (*add_terms)(std::size_t lanes, std::span<const Term> terms, const T* values, std::size_t stride, double* sums);
};

/// T is float or double.
template <class T>
const KetKernels<T>& ket_kernels();

}  // namespace skerry::kernels::fock
