// Planes slid over by a window: depthwise convolution, largest element, sum. One source for every instruction set.
//
// A vector holds neighbouring outputs of one row. With stride 2 its inputs are every other element; two overlapping
// loads, neither of which leaves the row, bring them in a shuffled order that is put right once per vector of outputs:
//
//     low  = x[p ..]              p    .   p+2   .      every even lane is wanted
//     high = x[p + lanes - 1 ..]  .   p+4   .   p+6     every odd lane is wanted
//     kept                        p   p+4  p+2  p+6     evens are the first half of the outputs, odds the second

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/tensor/window_simd.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>
#include <limits>

#include "base/threads.hpp"
#include "kernels/tensor/broadcast.hpp"
#include "kernels/tensor/conv.hpp"
#include "kernels/tensor/pool.hpp"

HWY_BEFORE_NAMESPACE();
namespace skerry::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;
using D = hn::ScalableTag<float>;
using V = hn::Vec<D>;

enum class Slide { convolve, max, sum };

// The rows of the input that one row of outputs sees, and the weights that go with them.
struct Rows {
  const Window& window;
  const float* x;
  const float* w;
  std::int64_t z, y;  // positions that tap 0 sees; may lie outside
  std::int64_t first_z, last_z, first_y, last_y;

  template <class F>
  HWY_INLINE void for_each(F&& f) const {
    for (std::int64_t kz = first_z; kz < last_z; ++kz) {
      for (std::int64_t ky = first_y; ky < last_y; ++ky) {
        const std::int64_t row = (z + kz * window.dilation[0]) * window.input[1] + y + ky * window.dilation[1];
        f(x + row * window.input[2], w + (kz * window.kernel[1] + ky) * window.kernel[2]);
      }
    }
  }
};

// Taps [first, last) of one axis that exist for a window that begins at `position`.
void taps(const Window& s, std::size_t axis, std::int64_t position, std::int64_t& first, std::int64_t& last) {
  const std::int64_t d = s.dilation[axis];
  first = position >= 0 ? 0 : std::min(s.kernel[axis], (-position + d - 1) / d);
  const std::int64_t past = s.input[axis] - position;
  last = past <= 0 ? first : std::clamp((past + d - 1) / d, first, s.kernel[axis]);
}

template <Slide F>
HWY_INLINE V step(V sum, V x, const float* w) {
  if constexpr (F == Slide::convolve) return hn::MulAdd(hn::Set(D(), *w), x, sum);
  if constexpr (F == Slide::sum) return hn::Add(sum, x);
  if constexpr (F == Slide::max) return hn::IfThenElse(hn::Gt(x, sum), x, sum);
}

template <Slide F>
float one(const Rows& rows, float start, std::int64_t ox) {
  const Window& s = rows.window;
  const std::int64_t left = s.position(2, ox, 0);
  std::int64_t first = 0, last = 0;
  taps(s, 2, left, first, last);
  float sum = start;
  rows.for_each([&](const float* x, const float* w) {
    for (std::int64_t kx = first; kx < last; ++kx) {
      const float value = x[left + kx * s.dilation[2]];
      if constexpr (F == Slide::convolve) sum += w[kx] * value;
      if constexpr (F == Slide::sum) sum += value;
      if constexpr (F == Slide::max) sum = value > sum ? value : sum;
    }
  });
  return sum;
}

// `lanes` outputs from ox on, all of whose taps exist. Stride is 1 or 2.
template <Slide F, int Stride>
HWY_INLINE void vector_of(const Rows& rows, float start, std::int64_t ox, float* y) {
  const D d;
  const Window& s = rows.window;
  const std::int64_t left = s.position(2, ox, 0);
  V sum = hn::Set(d, start);
  rows.for_each([&](const float* x, const float* w) {
    for (std::int64_t kx = 0; kx < s.kernel[2]; ++kx) {
      const float* from = x + left + kx * s.dilation[2];
      V value = hn::LoadU(d, from);
      if constexpr (Stride == 2) value = hn::OddEven(hn::LoadU(d, from + hn::Lanes(d) - 1), value);
      sum = step<F>(sum, value, w + kx);
    }
  });
#if HWY_TARGET != HWY_SCALAR
  if constexpr (Stride == 2) sum = hn::ConcatUpperLower(d, hn::ConcatOdd(d, sum, sum), hn::ConcatEven(d, sum, sum));
#endif
  hn::StoreU(sum, d, y + ox);
}

template <Slide F, int Stride>
void row_of(const Rows& rows, float start, float* y) {
  const Window& s = rows.window;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(D()));
  auto [begin, end] = s.inside(2);
  if (end - begin < lanes || (Stride == 2 && lanes == 1)) begin = end = s.output[2];
  for (std::int64_t ox = 0; ox < begin; ++ox) y[ox] = one<F>(rows, start, ox);
  if (begin < end) {
    std::int64_t ox = begin;
    for (; ox + lanes <= end; ox += lanes) vector_of<F, Stride>(rows, start, ox, y);
    if (ox < end) vector_of<F, Stride>(rows, start, end - lanes, y);  // some of them once more
  }
  for (std::int64_t ox = end; ox < s.output[2]; ++ox) y[ox] = one<F>(rows, start, ox);
}

template <Slide F>
void plane_of(const Window& s, const float* x, const float* w, float start, float* y) {
  for (std::int64_t oz = 0; oz < s.output[0]; ++oz) {
    for (std::int64_t oy = 0; oy < s.output[1]; ++oy) {
      Rows rows{s, x, w, s.position(0, oz, 0), s.position(1, oy, 0), 0, 0, 0, 0};
      taps(s, 0, rows.z, rows.first_z, rows.last_z);
      taps(s, 1, rows.y, rows.first_y, rows.last_y);
      float* to = y + (oz * s.output[1] + oy) * s.output[2];
      if (s.stride[2] == 1) {
        row_of<F, 1>(rows, start, to);
      } else if (s.stride[2] == 2) {
        row_of<F, 2>(rows, start, to);
      } else {
        for (std::int64_t ox = 0; ox < s.output[2]; ++ox) to[ox] = one<F>(rows, start, ox);
      }
    }
  }
}

void convolve_plane(const Window& s, const float* x, const float* w, float start, float* y) {
  plane_of<Slide::convolve>(s, x, w, start, y);
}
void max_plane(const Window& s, const float* x, float* y) {
  plane_of<Slide::max>(s, x, nullptr, -std::numeric_limits<float>::infinity(), y);
}
void sum_plane(const Window& s, const float* x, float* y) {
  plane_of<Slide::sum>(s, x, nullptr, 0.0F, y);
}

}  // namespace skerry::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace skerry::kernels {
HWY_EXPORT(convolve_plane);
HWY_EXPORT(max_plane);
HWY_EXPORT(sum_plane);

namespace {

template <class F>
void for_each_plane(const Window& s, std::int64_t planes, F&& f) {
  const auto work = static_cast<std::size_t>(std::max<std::int64_t>(1, s.outputs() * s.taps()));
  const std::size_t grain = std::max<std::size_t>(1, 4 * kElementGrain / work);
  base::parallel_for(0, static_cast<std::size_t>(planes), grain, [&](std::size_t begin, std::size_t end) {
    for (auto i = static_cast<std::int64_t>(begin); i < static_cast<std::int64_t>(end); ++i) f(i);
  });
}

// A row of sums becomes a row of means; `count` are the taps of the other axes.
void divide_row(const Window& s, std::int64_t count, bool count_padding, float* row) {
  const auto [begin, end] = s.inside(2);
  const auto divide = [&](std::int64_t ox) {
    row[ox] /= static_cast<float>(count * counted_taps(s, 2, ox, count_padding));
  };
  for (std::int64_t ox = 0; ox < begin; ++ox) divide(ox);
  for (std::int64_t ox = end; ox < s.output[2]; ++ox) divide(ox);
  const auto all = static_cast<float>(count * s.kernel[2]);
  for (std::int64_t ox = begin; ox < end; ++ox) row[ox] /= all;
}

}  // namespace

void conv_depthwise_f32(const ConvShape& shape, const float* x, const float* w, const float* bias, float* y) {
  const Window& s = shape.window;
  const auto function = HWY_DYNAMIC_DISPATCH(convolve_plane);
  for_each_plane(s, shape.batch * shape.outputs, [&](std::int64_t i) {
    const std::int64_t n = i / shape.outputs, o = i % shape.outputs;
    const std::int64_t plane = n * shape.channels + o / shape.group_outputs();
    function(s, x + plane * s.inputs(), w + o * s.taps(), bias == nullptr ? 0.0F : bias[o], y + i * s.outputs());
  });
}

void max_pool_f32(const Window& s, std::int64_t planes, const float* x, float* y) {
  const auto function = HWY_DYNAMIC_DISPATCH(max_plane);
  for_each_plane(s, planes, [&](std::int64_t i) { function(s, x + i * s.inputs(), y + i * s.outputs()); });
}

void average_pool_f32(const Window& s, std::int64_t planes, bool count_padding, const float* x, float* y) {
  const auto function = HWY_DYNAMIC_DISPATCH(sum_plane);
  for_each_plane(s, planes, [&](std::int64_t i) {
    float* to = y + i * s.outputs();
    function(s, x + i * s.inputs(), to);
    for (std::int64_t row = 0; row < s.output[0] * s.output[1]; ++row) {
      const std::int64_t count = counted_taps(s, 0, row / s.output[1], count_padding) *
                                 counted_taps(s, 1, row % s.output[1], count_padding);
      divide_row(s, count, count_padding, to + row * s.output[2]);
    }
  });
}

}  // namespace skerry::kernels
#endif
