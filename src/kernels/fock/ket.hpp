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
  std::uint32_t low_rows = 0, high_rows = 0;  ///< padding rows before and after, 0 or 1 each
  std::size_t matrix = 0;                     ///< entry (row, column) is at + row * size + column, padding rows too
  std::size_t links = 0;                      ///< size + 1 links; see link_gradient
};

/// A gate as the kernels see it.
template <class T>
struct MatrixGate {
  std::vector<MatrixBlock> blocks;
  std::vector<std::ptrdiff_t> columns;  ///< amplitude offsets at which all blocks are repeated
  std::vector<T> entries;
  std::vector<T> imaginary;  ///< of a complex gate: the imaginary part of each entry; else empty
  std::vector<T> links;
};

/// Unit complex numbers by which amplitudes are multiplied, one for each, or nothing.
template <class T>
struct Phases {
  const T *re = nullptr, *im = nullptr;
  bool is_conjugate = false;
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

/// The kernels for one element type, compiled for the instruction set in use. `lanes` is a power of two from
/// min_lanes to max_lanes (4 to 16 floats or 2 to 8 doubles with AVX-512). Pointers are 64-byte aligned where lanes
/// fill a cache line. No allocation.
template <class T>
struct KetKernels {
  std::size_t min_lanes, max_lanes;  ///< powers of two
  /// target = phases * M source, or phases * M^ source for the adjoint; target != source. Where `plain` is given it
  /// becomes M source (M^ source). Every amplitude is written if the blocks and columns cover all.
  void (*apply)(std::size_t lanes, const MatrixGate<T>& gate, bool adjoint, const Phases<T>& phases, const T* source,
                T* plain, T* target);
  /// target = phases * source; they may be the same.
  void (*turn)(std::size_t lanes, std::size_t amplitudes, const Phases<T>& phases, const T* source, T* target);
  /// sum = 2 Re <lambda| G |M before> for a real gate's generator G, antisymmetric and tridiagonal in each block, with
  /// the links as its entries. `after` is M before. sum: [lanes].
  void (*link_gradient)(std::size_t lanes, const MatrixGate<T>& gate, const T* before, const T* after, const T* lambda,
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
};

/// T is float or double.
template <class T>
const KetKernels<T>& ket_kernels();

}  // namespace skerry::kernels::fock
