// Batched complex products of tensors with scattered axes, one source for every instruction set. A panel of b holds
// some vectors of columns, re and im apart, inner by inner; a block of a holds four rows side by side. The product of
// both keeps 4 rows x 2 vectors in registers and is made of four multiply-adds a number, without a shuffle.

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/network/contract_simd.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>
#include <cstring>

#include "base/threads.hpp"
#include "kernels/network/contract.hpp"
#include "kernels/network/contract_task.hpp"

HWY_BEFORE_NAMESPACE();
namespace skerry::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

template <class T>
using Tag = hn::CappedTag<T, 64 / sizeof(T)>;

/// c[row][column] (+)= sum over inner of a[inner][row] b[inner][column] for `Rows` rows and `Vectors` vectors.
template <int Rows, int Vectors, class T>
HWY_INLINE void tile(const T* HWY_RESTRICT a, const T* HWY_RESTRICT b, std::size_t inner, T* c, std::size_t row_stride,
                     std::size_t plane, bool adds) {
  const Tag<T> d;
  using V = hn::Vec<Tag<T>>;
  constexpr std::size_t lanes = hn::MaxLanes(Tag<T>()), width = Vectors * lanes;
  V re[Rows][Vectors], im[Rows][Vectors];
  for (int r = 0; r < Rows; ++r) {
    for (int v = 0; v < Vectors; ++v) {
      T* const at = c + static_cast<std::size_t>(r) * row_stride + static_cast<std::size_t>(v) * lanes;
      re[r][v] = adds ? hn::LoadU(d, at) : hn::Zero(d);
      im[r][v] = adds ? hn::LoadU(d, at + plane) : hn::Zero(d);
    }
  }
  for (std::size_t k = 0; k < inner; ++k, a += 2 * Rows, b += 2 * width) {
    V x[Vectors], y[Vectors];
    for (int v = 0; v < Vectors; ++v) {
      x[v] = hn::Load(d, b + static_cast<std::size_t>(v) * lanes);
      y[v] = hn::Load(d, b + width + static_cast<std::size_t>(v) * lanes);
    }
    for (int r = 0; r < Rows; ++r) {
      const V p = hn::Set(d, a[r]), q = hn::Set(d, a[Rows + r]);
      for (int v = 0; v < Vectors; ++v) {
        re[r][v] = hn::NegMulAdd(q, y[v], hn::MulAdd(p, x[v], re[r][v]));
        im[r][v] = hn::MulAdd(q, x[v], hn::MulAdd(p, y[v], im[r][v]));
      }
    }
  }
  for (int r = 0; r < Rows; ++r) {
    for (int v = 0; v < Vectors; ++v) {
      T* const at = c + static_cast<std::size_t>(r) * row_stride + static_cast<std::size_t>(v) * lanes;
      hn::StoreU(re[r][v], d, at);
      hn::StoreU(im[r][v], d, at + plane);
    }
  }
}

template <int Rows, int Vectors, class T>
void block(const ContractionTask<T>& task) {
  constexpr std::size_t lanes = hn::MaxLanes(Tag<T>()), width = Vectors * lanes;
  alignas(64) T packed_a[2 * kRowBlock * kInnerBlock];
  alignas(64) T packed_b[2 * kColumnBlock * kInnerBlock];
  for (std::size_t k0 = 0; k0 < task.inner; k0 += kInnerBlock) {
    const std::size_t inner = std::min(kInnerBlock, task.inner - k0);
    T* to = packed_b;
    for (std::size_t column = 0; column < task.columns; column += width) {
      for (std::size_t k = 0; k < inner; ++k, to += 2 * width) {
        const T* const from = task.b + (*task.b_inner)(k0 + k);
        if (task.column_run >= width) {
          std::memcpy(to, from + task.column_offset[column], width * sizeof(T));
          std::memcpy(to + width, from + task.column_offset[column] + task.b_plane, width * sizeof(T));
          continue;
        }
        for (std::size_t i = 0; i < width; ++i) {
          to[i] = from[task.column_offset[column + i]];
          to[width + i] = from[task.column_offset[column + i] + task.b_plane];
        }
      }
    }
    to = packed_a;
    for (std::size_t row = 0; row < task.rows; row += Rows) {
      for (std::size_t k = 0; k < inner; ++k, to += 2 * Rows) {
        const T* const from = task.a + (*task.a_inner)(k0 + k);
        for (std::size_t r = 0; r < Rows; ++r) {
          to[r] = from[task.row_offset[row + r]];
          to[Rows + r] = from[task.row_offset[row + r] + task.a_plane];
        }
      }
    }
    for (std::size_t row = 0; row < task.rows; row += Rows)
      for (std::size_t column = 0; column < task.columns; column += width)
        tile<Rows, Vectors>(packed_a + 2 * row * inner, packed_b + 2 * column * inner, inner,
                            task.c + row * task.c_stride + column, task.c_stride, task.c_plane, k0 != 0);
  }
}

template <class T>
void run_task(const ContractionTask<T>& task) {
  constexpr std::size_t lanes = hn::MaxLanes(Tag<T>());
  if (task.columns >= 2 * lanes) return task.rows >= 4 ? block<4, 2>(task) : block<1, 2>(task);
  if (task.columns >= lanes) return task.rows >= 4 ? block<4, 1>(task) : block<1, 1>(task);
  scalar_task(task);
}

void run_single(const ContractionTask<float>& task) {
  run_task(task);
}
void run_double(const ContractionTask<double>& task) {
  run_task(task);
}

}  // namespace HWY_NAMESPACE
}  // namespace skerry::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace skerry::kernels {
HWY_EXPORT(run_single);
HWY_EXPORT(run_double);

template <>
void run_contraction(const ContractionTask<float>& task) {
  HWY_DYNAMIC_DISPATCH(run_single)(task);
}
template <>
void run_contraction(const ContractionTask<double>& task) {
  HWY_DYNAMIC_DISPATCH(run_double)(task);
}

}  // namespace skerry::kernels
#endif
