// Compiled once for every instruction set the CPU may have.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/tensor/binary_simd.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
// after highway.h
#include "base/threads.hpp"
#include "kernels/tensor/binary.hpp"
#include "kernels/tensor/broadcast.hpp"

HWY_BEFORE_NAMESPACE();
namespace skerry::kernels::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

template <Binary F, class V>
HWY_INLINE V apply(V a, V b) {
  if constexpr (F == Binary::add) return hn::Add(a, b);
  if constexpr (F == Binary::sub) return hn::Sub(a, b);
  if constexpr (F == Binary::mul) return hn::Mul(a, b);
  if constexpr (F == Binary::div) return hn::Div(a, b);
  if constexpr (F == Binary::maximum) return hn::IfThenElse(hn::Or(hn::Gt(a, b), hn::Ne(a, a)), a, b);
  if constexpr (F == Binary::minimum) return hn::IfThenElse(hn::Or(hn::Lt(a, b), hn::Ne(a, a)), a, b);
}

// Elements [i, count) in vectors of D as far as they go; gives the first that is left.
template <Binary F, class D>
HWY_INLINE std::int64_t run_from(D d, std::int64_t i, const float* a, std::int64_t sa, const float* b, std::int64_t sb,
                                 float* out, std::int64_t count) {
  const auto step = static_cast<std::int64_t>(hn::Lanes(d));
  const auto first = hn::Set(d, *a), second = hn::Set(d, *b);
  for (; i + step <= count; i += step) {
    const auto x = sa == 1 ? hn::LoadU(d, a + i) : first, y = sb == 1 ? hn::LoadU(d, b + i) : second;
    hn::StoreU(apply<F>(x, y), d, out + i);
  }
  return i;
}

// sa and sb are 0 or 1; out may be a or b. Not left to the compiler: what it makes of a loop takes six times the room.
template <Binary F>
void run(const float* a, std::int64_t sa, const float* b, std::int64_t sb, float* out, std::int64_t count) {
  if (count == 0) return;
  const hn::ScalableTag<float> d;
  const hn::CappedTag<float, 1> one;
  const std::int64_t i =
      sa == 1 && sb == 1 ? run_from<F>(d, 0, a, 1, b, 1, out, count) : run_from<F>(d, 0, a, sa, b, sb, out, count);
  run_from<F>(one, i, a, sa, b, sb, out, count);
}

void run_of(Binary f, const float* a, std::int64_t sa, const float* b, std::int64_t sb, float* out,
            std::int64_t count) {
  switch (f) {
    case Binary::add:
      return run<Binary::add>(a, sa, b, sb, out, count);
    case Binary::sub:
      return run<Binary::sub>(a, sa, b, sb, out, count);
    case Binary::mul:
      return run<Binary::mul>(a, sa, b, sb, out, count);
    case Binary::div:
      return run<Binary::div>(a, sa, b, sb, out, count);
    case Binary::maximum:
      return run<Binary::maximum>(a, sa, b, sb, out, count);
    case Binary::minimum:
      return run<Binary::minimum>(a, sa, b, sb, out, count);
    case Binary::floor_mod:
    case Binary::truncated_mod:
    case Binary::prelu:
      return;  // their records list no kernel binary_f32
  }
}

}  // namespace skerry::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace skerry::kernels {
HWY_EXPORT(run_of);

void binary_f32(Binary f, TensorView a, TensorView b, MutableTensorView out) {
  const BroadcastLoops<2> loops(out.shape(), {a.shape(), b.shape()});
  const auto* pa = reinterpret_cast<const float*>(a.data());
  const auto* pb = reinterpret_cast<const float*>(b.data());
  auto* po = reinterpret_cast<float*>(out.data());
  const auto function = HWY_DYNAMIC_DISPATCH(run_of);
  base::parallel_for(
      0, static_cast<std::size_t>(out.elements()), kElementGrain, [&](std::size_t begin, std::size_t end) {
        loops.for_each_run(static_cast<std::int64_t>(begin), static_cast<std::int64_t>(end),
                           [&](std::int64_t at, const std::array<std::int64_t, 2>& in, std::int64_t count) {
                             function(f, pa + in[0], loops.inner_stride(0), pb + in[1], loops.inner_stride(1), po + at,
                                      count);
                           });
      });
}

void binary_f32_run(Binary f, const float* a, bool a_moves, const float* b, bool b_moves, float* out,
                    std::size_t count) {
  HWY_DYNAMIC_DISPATCH(run_of)
  (f, a, a_moves ? 1 : 0, b, b_moves ? 1 : 0, out, static_cast<std::int64_t>(count));
}

}  // namespace skerry::kernels
#endif
