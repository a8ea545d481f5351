// Compiled once for every instruction set the CPU may have; the compiler vectorises these loops by itself.
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

template <Binary F>
HWY_INLINE float apply(float a, float b) {
  if constexpr (F == Binary::add) return a + b;
  if constexpr (F == Binary::sub) return a - b;
  if constexpr (F == Binary::mul) return a * b;
  if constexpr (F == Binary::div) return a / b;
  if constexpr (F == Binary::maximum) return (a > b || a != a) ? a : b;
  if constexpr (F == Binary::minimum) return (a < b || a != a) ? a : b;
}

// sa and sb are 0 or 1. Not restrict: out may be a or b.
template <Binary F>
void run(const float* a, std::int64_t sa, const float* b, std::int64_t sb, float* out, std::int64_t count) {
  if (sa == 1 && sb == 1) {
    for (std::int64_t i = 0; i < count; ++i) out[i] = apply<F>(a[i], b[i]);
  } else if (sa == 1) {
    const float constant = b[0];
    for (std::int64_t i = 0; i < count; ++i) out[i] = apply<F>(a[i], constant);
  } else {
    const float constant = a[0];
    for (std::int64_t i = 0; i < count; ++i) out[i] = apply<F>(constant, b[i * sb]);
  }
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
