#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/tensor/winograd_simd.cpp"
#ifndef HWY_DISABLED_TARGETS
#define HWY_DISABLED_TARGETS (HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128 | HWY_RVV)
#endif
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "kernels/tensor/bounds_simd.hpp"
#include "kernels/tensor/winograd_loops.hpp"

HWY_BEFORE_NAMESPACE();
namespace skerry::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;
using D = hn::ScalableTag<float>;
using V = hn::Vec<D>;

// t = B^T d.
HWY_INLINE void input_line(const V (&d)[6], V (&t)[6]) {
  const D f;
  const V two = hn::Set(f, 2.0F), four = hn::Set(f, 4.0F), five = hn::Set(f, 5.0F);
  const V even = hn::NegMulAdd(four, d[2], d[4]), odd = hn::NegMulAdd(four, d[1], d[3]);
  const V outer = hn::Sub(d[4], d[2]), inner = hn::Mul(two, hn::Sub(d[3], d[1]));
  t[0] = hn::MulAdd(four, d[0], hn::NegMulAdd(five, d[2], d[4]));
  t[1] = hn::Add(even, odd);
  t[2] = hn::Sub(even, odd);
  t[3] = hn::Add(outer, inner);
  t[4] = hn::Sub(outer, inner);
  t[5] = hn::MulAdd(four, d[1], hn::NegMulAdd(five, d[3], d[5]));
}
HWY_INLINE void input_line(const V (&d)[4], V (&t)[4]) {
  t[0] = hn::Sub(d[0], d[2]);
  t[1] = hn::Add(d[1], d[2]);
  t[2] = hn::Sub(d[2], d[1]);
  t[3] = hn::Sub(d[1], d[3]);
}

// y = A^T s.
HWY_INLINE void output_line(const V (&s)[6], V (&y)[4]) {
  const D f;
  const V sum = hn::Add(s[1], s[2]), difference = hn::Sub(s[1], s[2]);
  const V sum2 = hn::Add(s[3], s[4]), difference2 = hn::Sub(s[3], s[4]);
  y[0] = hn::Add(hn::Add(s[0], sum), sum2);
  y[1] = hn::MulAdd(hn::Set(f, 2.0F), difference2, difference);
  y[2] = hn::MulAdd(hn::Set(f, 4.0F), sum2, sum);
  y[3] = hn::Add(hn::MulAdd(hn::Set(f, 8.0F), difference2, difference), s[5]);
}
HWY_INLINE void output_line(const V (&s)[4], V (&y)[2]) {
  y[0] = hn::Add(hn::Add(s[0], s[1]), s[2]);
  y[1] = hn::Sub(hn::Sub(s[1], s[2]), s[3]);
}

template <std::size_t M, bool edge>
HWY_INLINE void input_of(const WinogradInput& in) {
  const D f;
  constexpr std::size_t kSide = M + 2;
  for (std::size_t c = 0; c < in.channels; c += hn::Lanes(f)) {
    V half[kSide][kSide];  // of column j: half[j]
    for (std::size_t j = 0; j < kSide; ++j) {
      const bool seen = !edge || (j >= in.first_column && j < in.last_column);
      const float* from = in.d + j * in.channels + c;
      V column[kSide];
      for (std::size_t i = 0; i < kSide; ++i) {
        const bool inside = seen && (!edge || (i >= in.first_row && i < in.last_row));
        column[i] = inside ? hn::LoadU(f, from + i * in.d_row) : hn::Zero(f);
      }
      input_line(column, half[j]);
    }
    for (std::size_t i = 0; i < kSide; ++i) {
      V row[kSide], whole[kSide];
      for (std::size_t j = 0; j < kSide; ++j) row[j] = half[j][i];
      input_line(row, whole);
      for (std::size_t j = 0; j < kSide; ++j) hn::StoreU(whole[j], f, in.v + (i * kSide + j) * in.v_position + c);
    }
  }
}

template <std::size_t M>
HWY_INLINE void output_of(const WinogradOutput& o) {
  const D f;
  constexpr std::size_t kSide = M + 2;
  const Bounds bounded(o.low, o.high);
  for (std::size_t c = 0; c < o.outputs; c += hn::Lanes(f)) {
    V half[kSide][M];  // of column j: half[j]
    for (std::size_t j = 0; j < kSide; ++j) {
      V column[kSide];
      for (std::size_t i = 0; i < kSide; ++i) column[i] = hn::LoadU(f, o.s + (i * kSide + j) * o.s_position + c);
      output_line(column, half[j]);
    }
    const V bias = hn::LoadU(f, o.bias + c);
    for (std::size_t i = 0; i < o.rows; ++i) {
      V row[kSide], y[M];
      for (std::size_t j = 0; j < kSide; ++j) row[j] = half[j][i];
      output_line(row, y);
      for (std::size_t j = 0; j < o.columns; ++j) {
        const std::size_t to = i * o.y_row + j * o.outputs + c;
        V sum = hn::Add(y[j], bias);
        if (o.residual != nullptr) sum = hn::Add(sum, hn::LoadU(f, o.residual + to));
        hn::StoreU(bounded(sum), f, o.y + to);
      }
    }
  }
}

template <std::size_t M>
HWY_INLINE void input_of(const WinogradInput& in) {
  const bool whole = in.first_row == 0 && in.last_row == M + 2 && in.first_column == 0 && in.last_column == M + 2;
  whole ? input_of<M, false>(in) : input_of<M, true>(in);
}

void input_tile(std::size_t m, const WinogradInput& input) {
  m == 4 ? input_of<4>(input) : input_of<2>(input);
}
void output_tile(std::size_t m, const WinogradOutput& output) {
  if (m == 4) return output_of<4>(output);
  output_of<2>(output);
}

}  // namespace skerry::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace skerry::kernels {
HWY_EXPORT(input_tile);
HWY_EXPORT(output_tile);

void winograd_input(std::size_t m, const WinogradInput& input) {
  HWY_DYNAMIC_DISPATCH(input_tile)(m, input);
}
void winograd_output(std::size_t m, const WinogradOutput& output) {
  HWY_DYNAMIC_DISPATCH(output_tile)(m, output);
}

}  // namespace skerry::kernels
#endif
