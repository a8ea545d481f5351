// Maps in the Pauli basis on vector units. The numbers that a map brings together (4^k of them, a group) are taken for
// kLanes groups at once: neighbours in memory where no digit lies low, else gathered one by one.

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/density/transfer_simd.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "kernels/density/transfer_rows.hpp"

HWY_BEFORE_NAMESPACE();
namespace skerry::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// y <- M y for the four rows y[0], y[step], y[2 step], y[3 step] of a block.
template <class T>
HWY_INLINE void four_by_four(const std::array<T, 16>& m, T* y, std::size_t step) {
  const hn::CappedTag<T, kLanes<T>> d;
  for (std::size_t lane = 0; lane < kLanes<T>; lane += hn::Lanes(d)) {
    T* at = y + lane;
    const auto y0 = hn::Load(d, at), y1 = hn::Load(d, at + step);
    const auto y2 = hn::Load(d, at + 2 * step), y3 = hn::Load(d, at + 3 * step);
    for (std::size_t r = 0; r < 4; ++r) {
      auto sum = hn::Mul(hn::Set(d, m[4 * r]), y0);
      sum = hn::MulAdd(hn::Set(d, m[4 * r + 1]), y1, sum);
      sum = hn::MulAdd(hn::Set(d, m[4 * r + 2]), y2, sum);
      sum = hn::MulAdd(hn::Set(d, m[4 * r + 3]), y3, sum);
      hn::Store(sum, d, at + r * step);
    }
  }
}

template <class T>
void rows_of(const Transfer<T>& map, const T* HWY_RESTRICT block, std::size_t rows, T* HWY_RESTRICT out,
             const std::size_t* HWY_RESTRICT places) {
  const hn::CappedTag<T, kLanes<T>> d;
  for (std::size_t r = 0; r < rows; ++r) {
    const std::uint32_t begin = map.row_begin[r], end = map.row_begin[r + 1];
    for (std::size_t lane = 0; lane < kLanes<T>; lane += hn::Lanes(d)) {
      auto sum = hn::Zero(d);
      for (std::uint32_t i = begin; i < end; ++i) {
        const T* from = block + map.columns[i] * kLanes<T> + lane;
        sum = hn::MulAdd(hn::Set(d, map.values[i]), hn::Load(d, from), sum);
      }
      hn::Store(sum, d, out + places[r] + lane);
    }
  }
}

template <class T>
void transfer(const Transfer<T>& map, const Rows& rows, T* state, std::size_t begin, std::size_t end) {
  alignas(64) T block[kMaxRows * kLanes<T>];
  alignas(64) T result[kMaxRows * kLanes<T>];
  const hn::CappedTag<T, kLanes<T>> d;
  const std::size_t count = rows.count();
  for (std::size_t group = begin; group < end; group += kLanes<T>) {
    const std::size_t width = end - group < kLanes<T> ? end - group : kLanes<T>;
    const bool whole = rows.run() >= kLanes<T> && width == kLanes<T>;
    T* base = state + rows.base(group);
    if (whole) {
      for (std::size_t r = 0; r < count; ++r)
        for (std::size_t lane = 0; lane < kLanes<T>; lane += hn::Lanes(d))
          hn::Store(hn::Load(d, base + rows.places()[r] + lane), d, block + r * kLanes<T> + lane);
    } else {
      gather(rows, state, group, width, block);
    }
    for (std::size_t j = 0; j < map.before.size(); ++j) {
      const std::size_t step = std::size_t{1} << (2 * j);
      for (std::size_t r = 0; r < count; ++r)
        if ((r >> (2 * j) & 3U) == 0) four_by_four(map.before[j], block + r * kLanes<T>, step * kLanes<T>);
    }
    if (map.row_begin.empty()) {
      if (!whole) {
        scatter(rows, block, group, width, state);
        continue;
      }
      for (std::size_t r = 0; r < count; ++r)
        for (std::size_t lane = 0; lane < kLanes<T>; lane += hn::Lanes(d))
          hn::Store(hn::Load(d, block + r * kLanes<T> + lane), d, base + rows.places()[r] + lane);
    } else if (whole) {
      rows_of(map, block, count, base, rows.places().data());
    } else {
      rows_of(map, block, count, result, rows.packed().data());
      scatter(rows, result, group, width, state);
    }
  }
}

void transfer_f32(const Transfer<float>& map, const Rows& rows, float* state, std::size_t begin, std::size_t end) {
  transfer<float>(map, rows, state, begin, end);
}
void transfer_f64(const Transfer<double>& map, const Rows& rows, double* state, std::size_t begin, std::size_t end) {
  transfer<double>(map, rows, state, begin, end);
}

}  // namespace HWY_NAMESPACE
}  // namespace skerry::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace skerry::kernels {
namespace {

HWY_EXPORT(transfer_f32);
HWY_EXPORT(transfer_f64);

}  // namespace

void transfer_groups(const Transfer<float>& map, const Rows& rows, float* state, std::size_t begin, std::size_t end) {
  HWY_DYNAMIC_DISPATCH(transfer_f32)(map, rows, state, begin, end);
}
void transfer_groups(const Transfer<double>& map, const Rows& rows, double* state, std::size_t begin, std::size_t end) {
  HWY_DYNAMIC_DISPATCH(transfer_f64)(map, rows, state, begin, end);
}

}  // namespace skerry::kernels
#endif
