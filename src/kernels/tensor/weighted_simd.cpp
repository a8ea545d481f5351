// Interpolation in vectors. Compiled once for every instruction set.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/tensor/weighted_simd.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
//
#include <algorithm>

#include "base/threads.hpp"
#include "kernels/tensor/broadcast.hpp"
#include "kernels/tensor/weighted.hpp"

HWY_BEFORE_NAMESPACE();
namespace skerry::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;
using D = hn::ScalableTag<float>;

void weighted_sums(const float* x, const WeightedTaps& t, bool accumulate, float* y) {
  const D d;
  const hn::RebindToSigned<D> di;
  const std::size_t lanes = hn::Lanes(d);
  std::size_t i = 0;
  for (; i + lanes <= t.count; i += lanes) {
    auto sum = accumulate ? hn::LoadU(d, y + i) : hn::Zero(d);
    for (std::size_t tap = 0; tap < t.taps; ++tap) {
      const auto weight = hn::LoadU(d, t.weight + tap * t.row + i);
      const auto value = hn::GatherIndex(d, x, hn::LoadU(di, t.index + tap * t.row + i));
      sum = hn::Add(sum, hn::IfThenZeroElse(hn::Eq(weight, hn::Zero(d)), hn::Mul(weight, value)));
    }
    hn::StoreU(sum, d, y + i);
  }
  for (; i < t.count; ++i) {
    float sum = accumulate ? y[i] : 0.0F;
    for (std::size_t tap = 0; tap < t.taps; ++tap) {
      const float weight = t.weight[tap * t.row + i];
      if (weight != 0.0F) sum += weight * x[t.index[tap * t.row + i]];
    }
    y[i] = sum;
  }
}

// y += weight * x, or y = weight * x.
template <class D>
HWY_INLINE std::size_t add_weighted(D d, std::size_t i, const float* x, float weight, bool begun, std::size_t count,
                                    float* y) {
  for (; i + hn::Lanes(d) <= count; i += hn::Lanes(d)) {
    const auto term = hn::Mul(hn::Set(d, weight), hn::LoadU(d, x + i));
    hn::StoreU(begun ? hn::Add(hn::LoadU(d, y + i), term) : term, d, y + i);
  }
  return i;
}

// y = the weighted sum of rows of `count` neighbours.
void weighted_rows(const float* x, std::size_t inner, const WeightedTaps& t, std::size_t at, std::size_t count,
                   float* y) {
  bool begun = false;
  for (std::size_t tap = 0; tap < t.taps; ++tap) {
    const float weight = t.weight[tap * t.row + at];
    if (weight == 0.0F) continue;
    const float* from = x + static_cast<std::size_t>(t.index[tap * t.row + at]) * inner;
    const std::size_t rest = add_weighted(D(), 0, from, weight, begun, count, y);
    add_weighted(hn::CappedTag<float, 1>(), rest, from, weight, begun, count, y);
    begun = true;
  }
  if (!begun) std::fill_n(y, count, 0.0F);
}

}  // namespace skerry::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace skerry::kernels {
namespace {

HWY_EXPORT(weighted_sums);
HWY_EXPORT(weighted_rows);

void run_axis(const ResizeF32::Axis& axis, const float* x, float* y) {
  const auto output = static_cast<std::size_t>(axis.output), inner = static_cast<std::size_t>(axis.inner),
             input = static_cast<std::size_t>(axis.input), outer = static_cast<std::size_t>(axis.outer);
  const WeightedTaps taps{axis.index.data(), axis.weight.data(), axis.taps, output, output};
  if (inner == 1) {
    const std::size_t grain = std::max<std::size_t>(1, kElementGrain / std::max<std::size_t>(output * axis.taps, 1));
    base::parallel_for(0, outer, grain, [&](std::size_t begin, std::size_t end) {
      for (std::size_t o = begin; o < end; ++o)
        HWY_DYNAMIC_DISPATCH(weighted_sums)(x + o * input, taps, false, y + o * output);
    });
    return;
  }
  const std::size_t grain = std::max<std::size_t>(1, 2 * kElementGrain / std::max<std::size_t>(inner * axis.taps, 1));
  base::parallel_for(0, outer * output, grain, [&](std::size_t begin, std::size_t end) {
    for (std::size_t row = begin; row < end; ++row) HWY_DYNAMIC_DISPATCH(weighted_rows)
    (x + row / output * input * inner, inner, taps, row % output, inner, y + row * inner);
  });
}

}  // namespace

void weighted_sums_f32(const float* x, const WeightedTaps& taps, bool accumulate, float* y) {
  HWY_DYNAMIC_DISPATCH(weighted_sums)(x, taps, accumulate, y);
}

ResizeF32::ResizeF32(std::vector<Axis> axes) : axes_(std::move(axes)) {
  for (std::size_t i = 0; i + 1 < axes_.size(); ++i) {
    const Axis& axis = axes_[i];
    const auto floats = static_cast<std::size_t>(axis.outer * axis.output * axis.inner);
    buffer_floats_ = std::max(buffer_floats_, (floats + 15) / 16 * 16);
  }
}

std::uint64_t ResizeF32::bytes() const noexcept {
  std::uint64_t total = 0;
  for (const Axis& axis : axes_) total += axis.index.size() * (sizeof(std::int32_t) + sizeof(float));
  return total;
}

void ResizeF32::run(const float* x, float* y, std::span<std::byte> scratch) const {
  auto* const buffers = reinterpret_cast<float*>(scratch.data());
  for (std::size_t i = 0; i < axes_.size(); ++i) {
    float* const to = i + 1 == axes_.size() ? y : buffers + i % 2 * buffer_floats_;
    run_axis(axes_[i], x, to);
    x = to;
  }
}

}  // namespace skerry::kernels
#endif
