/// \file
/// Small matrices times blocks of kets, for every instruction set: what ket_simd.cpp is made of.
#if defined(SKERRY_KERNELS_FOCK_KET_MATRIX_SIMD) == defined(HWY_TARGET_TOGGLE)
#ifdef SKERRY_KERNELS_FOCK_KET_MATRIX_SIMD
#undef SKERRY_KERNELS_FOCK_KET_MATRIX_SIMD
#else
#define SKERRY_KERNELS_FOCK_KET_MATRIX_SIMD
#endif

#include <hwy/highway.h>

#include "kernels/fock/ket.hpp"

HWY_BEFORE_NAMESPACE();
namespace skerry::kernels::fock {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

template <class D>
using Number = hn::TFromD<D>;

/// Rows of the tile that begins at `row` of `size`: 4, but 5 = 3 + 2 and 6 = 3 + 3, so that no tile is a single row.
constexpr std::uint32_t tile_rows(std::uint32_t row, std::uint32_t size) {
  const std::uint32_t left = size - row;
  if (left == 5 || left == 6) return 3;
  return left < 4 ? left : 4;
}

/// Calls fn.operator()<R>(row) for the tiles of `size` rows.
template <class Function>
HWY_INLINE void for_tiles(std::uint32_t size, Function fn) {
  for (std::uint32_t row = 0; row < size;) {
    const std::uint32_t rows = tile_rows(row, size);
    if (rows == 4) fn.template operator()<4>(row);
    if (rows == 3) fn.template operator()<3>(row);
    if (rows == 2) fn.template operator()<2>(row);
    if (rows == 1) fn.template operator()<1>(row);
    row += rows;
  }
}

/// R rows of a matrix (of its adjoint) times the vectors at x: the register tile of every gate. Entry (r, n) of the
/// tile is m[r * across + n * along].
template <std::uint32_t R, bool IsComplex, bool Conjugates, class D>
HWY_INLINE void tile(D d, const Number<D>* m, const Number<D>* mi, std::size_t across, std::size_t along,
                     std::uint32_t size, const Number<D>* x, std::ptrdiff_t step, hn::Vec<D> (&re)[R],
                     hn::Vec<D> (&im)[R]) {
  const std::size_t lanes = hn::Lanes(d);
  for (std::uint32_t r = 0; r < R; ++r) re[r] = im[r] = hn::Zero(d);
#pragma GCC unroll 2
  for (std::uint32_t n = 0; n < size; ++n, x += step, m += along) {
    const auto xr = hn::Load(d, x), xi = hn::Load(d, x + lanes);
    for (std::uint32_t r = 0; r < R; ++r) {
      const auto entry = hn::Set(d, m[r * across]);
      re[r] = hn::MulAdd(entry, xr, re[r]);
      im[r] = hn::MulAdd(entry, xi, im[r]);
      if constexpr (IsComplex) {
        const auto part = hn::Set(d, Conjugates ? -mi[r * across] : mi[r * across]);
        re[r] = hn::NegMulAdd(part, xi, re[r]);
        im[r] = hn::MulAdd(part, xr, im[r]);
      }
    }
    if constexpr (IsComplex) mi += along;
  }
}

/// Multiplies by the phase (its conjugate) of one amplitude.
template <bool Conjugates, class D>
HWY_INLINE void turn_one(D d, const Number<D>* phase_re, const Number<D>* phase_im, hn::Vec<D>& re, hn::Vec<D>& im) {
  const auto fr = hn::Set(d, *phase_re), fi = hn::Set(d, *phase_im);
  const auto a = hn::Mul(fr, re), b = hn::Mul(fr, im);
  const auto turned = Conjugates ? hn::MulAdd(fi, im, a) : hn::NegMulAdd(fi, im, a);
  im = Conjugates ? hn::NegMulAdd(fi, re, b) : hn::MulAdd(fi, re, b);
  re = turned;
}

/// What happens to a gate's result on its way to memory.
enum class Way : std::uint8_t { straight, turned, both };

/// Where the amplitudes of one block and column go; the pointers are at its first amplitude.
template <class T>
struct Outlet {
  T *target, *plain;
  const T *re, *im;
  std::ptrdiff_t step, stride;  // between amplitudes of a ket and of phases
};

template <std::uint32_t R, bool IsComplex, bool Adjoint, Way Goes, class D>
HWY_INLINE void store_tile(D d, const Number<D>* m, const Number<D>* mi, std::uint32_t size, const Number<D>* x,
                           std::ptrdiff_t row, const Outlet<Number<D>>& to) {
  const std::size_t lanes = hn::Lanes(d);
  hn::Vec<D> re[R], im[R];
  tile<R, IsComplex, Adjoint>(d, m, mi, Adjoint ? 1 : size, Adjoint ? size : 1, size, x, to.step, re, im);
  Number<D>* target = to.target + row * to.step;
  for (std::uint32_t r = 0; r < R; ++r, target += to.step) {
    if constexpr (Goes == Way::both) {
      Number<D>* plain = to.plain + (row + r) * to.step;
      hn::Store(re[r], d, plain);
      hn::Store(im[r], d, plain + lanes);
    }
    if constexpr (Goes != Way::straight) {
      const std::ptrdiff_t at = (row + r) * to.stride;
      turn_one<Adjoint>(d, to.re + at, to.im + at, re[r], im[r]);
    }
    hn::Store(re[r], d, target);
    hn::Store(im[r], d, target + lanes);
  }
}

/// Columns that a matrix of a known size goes through at once: as many as the registers hold with their sums.
inline constexpr std::size_t kColumns = HWY_TARGET <= HWY_AVX3 ? 2 : 1;

/// A real matrix of Size rows on C columns, all loops written out: the vectors at x[c] are loaded once for four rows,
/// and the entries are broadcast once for all columns. The sums are those of tile().
template <std::uint32_t Size, std::size_t C, bool Adjoint, Way Goes, class D>
HWY_INLINE void known_size(D d, const Number<D>* m, const Number<D>* const (&x)[C], const Outlet<Number<D>> (&to)[C]) {
  constexpr std::uint32_t kRows = 4;
  static_assert(Size % kRows == 0);
  const std::size_t lanes = hn::Lanes(d);
  const std::ptrdiff_t step = to[0].step;
  for (std::uint32_t row = 0; row < Size; row += kRows) {
    hn::Vec<D> re[C][kRows], im[C][kRows];
#pragma GCC unroll 8
    for (std::uint32_t n = 0; n < Size; ++n) {
      hn::Vec<D> xr[C], xi[C];
#pragma GCC unroll 2
      for (std::size_t c = 0; c < C; ++c) {
        xr[c] = hn::Load(d, x[c] + n * step);
        xi[c] = hn::Load(d, x[c] + n * step + lanes);
      }
#pragma GCC unroll 4
      for (std::uint32_t r = 0; r < kRows; ++r) {
        const auto entry = hn::Set(d, m[Adjoint ? n * Size + row + r : (row + r) * Size + n]);
#pragma GCC unroll 2
        for (std::size_t c = 0; c < C; ++c) {
          re[c][r] = n == 0 ? hn::Mul(entry, xr[c]) : hn::MulAdd(entry, xr[c], re[c][r]);
          im[c][r] = n == 0 ? hn::Mul(entry, xi[c]) : hn::MulAdd(entry, xi[c], im[c][r]);
        }
      }
    }
#pragma GCC unroll 2
    for (std::size_t c = 0; c < C; ++c) {
#pragma GCC unroll 4
      for (std::uint32_t r = 0; r < kRows; ++r) {
        const auto at = static_cast<std::ptrdiff_t>(row) + r;
        if constexpr (Goes == Way::both) {
          hn::Store(re[c][r], d, to[c].plain + at * step);
          hn::Store(im[c][r], d, to[c].plain + at * step + lanes);
        }
        if constexpr (Goes != Way::straight)
          turn_one<Adjoint>(d, to[c].re + at * to[c].stride, to[c].im + at * to[c].stride, re[c][r], im[c][r]);
        hn::Store(re[c][r], d, to[c].target + at * step);
        hn::Store(im[c][r], d, to[c].target + at * step + lanes);
      }
    }
  }
}

template <bool IsComplex, bool Adjoint, Way Goes, class D>
void apply_gate(D d, const MatrixGate<Number<D>>& gate, const Phases<Number<D>>& phases, const Number<D>* source,
                Number<D>* plain, Number<D>* target) {
  using T = Number<D>;
  const auto pair = static_cast<std::ptrdiff_t>(2 * hn::Lanes(d));
  const Phases<T> turns = phases;  // copies of all that stores could seem to change
  const std::span<const std::ptrdiff_t> columns = gate.columns;
  const T *entries = gate.entries.data(), *imaginary = gate.imaginary.data();
  for (const MatrixBlock& given : gate.blocks) {
    const MatrixBlock block = given;
    const T *matrix = entries + block.matrix, *part = IsComplex ? imaginary + block.matrix : nullptr;
    const std::uint32_t size = block.size, across = Adjoint ? 1 : size;
    const auto outlet = [&](std::ptrdiff_t column) HWY_ATTR {
      const std::ptrdiff_t at = column + block.offset;
      Outlet<T> to{target + at * pair, nullptr, nullptr, nullptr, block.stride * pair, block.stride};
      if constexpr (Goes == Way::both) to.plain = plain + at * pair;
      if constexpr (Goes != Way::straight) {
        to.re = turns.re + at;
        to.im = turns.im + at;
      }
      return to;
    };
    std::size_t next = 0;
    const auto written_out = [&]<std::uint32_t Size>() HWY_ATTR {
      for (; next + kColumns <= columns.size(); next += kColumns) {
        const T* x[kColumns];
        Outlet<T> to[kColumns];
        for (std::size_t c = 0; c < kColumns; ++c) {
          x[c] = source + (columns[next + c] + block.offset) * pair;
          to[c] = outlet(columns[next + c]);
        }
        known_size<Size, kColumns, Adjoint, Goes>(d, matrix, x, to);
      }
    };
    if constexpr (!IsComplex) {
      if (size == 8) written_out.template operator()<8>();
      if (size == 4) written_out.template operator()<4>();
    }
    for (; next < columns.size(); ++next) {
      const std::ptrdiff_t at = columns[next] + block.offset;
      const Outlet<T> to = outlet(columns[next]);
      for_tiles(size, [&]<std::uint32_t R>(std::uint32_t row) HWY_ATTR {
        const std::size_t first = std::size_t{row} * across;
        store_tile<R, IsComplex, Adjoint, Goes>(d, matrix + first, IsComplex ? part + first : nullptr, size,
                                                source + at * pair, row, to);
      });
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace skerry::kernels::fock
HWY_AFTER_NAMESPACE();

#endif  // per target
