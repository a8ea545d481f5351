// Compiled once for every instruction set the CPU may have.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/tensor/binary_simd.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
// after highway.h
#include <algorithm>
#include <array>

#include "base/threads.hpp"
#include "kernels/tensor/binary.hpp"
#include "kernels/tensor/broadcast.hpp"
#include "kernels/tensor/halves.hpp"
#include "kernels/tensor/narrow.hpp"

HWY_BEFORE_NAMESPACE();
namespace skerry::kernels::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

template <Binary F, class D, class V>
HWY_INLINE V apply([[maybe_unused]] D d, V a, V b) {
  if constexpr (F == Binary::add) return hn::Add(a, b);
  if constexpr (F == Binary::sub) return hn::Sub(a, b);
  if constexpr (F == Binary::mul) return hn::Mul(a, b);
  if constexpr (F == Binary::div) return hn::Div(a, b);
  if constexpr (F == Binary::maximum) return hn::IfThenElse(hn::Or(hn::Gt(a, b), hn::IsNaN(a)), a, b);
  if constexpr (F == Binary::minimum) return hn::IfThenElse(hn::Or(hn::Lt(a, b), hn::IsNaN(a)), a, b);
  if constexpr (F == Binary::prelu) return hn::IfThenElse(hn::Lt(a, hn::Zero(d)), hn::Mul(a, b), a);
}

// Elements [i, count) in vectors of D as far as they go; gives the first that is left.
template <Binary F, class D>
HWY_INLINE std::int64_t run_from(D d, std::int64_t i, const float* a, std::int64_t sa, const float* b, std::int64_t sb,
                                 float* out, std::int64_t count) {
  const auto step = static_cast<std::int64_t>(hn::Lanes(d));
  const auto first = hn::Set(d, *a), second = hn::Set(d, *b);
  for (; i + step <= count; i += step) {
    const auto x = sa == 1 ? hn::LoadU(d, a + i) : first, y = sb == 1 ? hn::LoadU(d, b + i) : second;
    hn::StoreU(apply<F>(d, x, y), d, out + i);
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
    case Binary::prelu:
      return run<Binary::prelu>(a, sa, b, sb, out, count);
    case Binary::floor_mod:
    case Binary::truncated_mod:
      return;  // their records list no kernel binary_f32
  }
}

// greater and greater_or_equal are less and less_or_equal the other way round.
template <Comparison F, class V>
HWY_INLINE auto related(V a, V b) {
  if constexpr (F == Comparison::equal) return hn::Eq(a, b);
  if constexpr (F == Comparison::less) return hn::Lt(a, b);
  if constexpr (F == Comparison::less_or_equal) return hn::Le(a, b);
}

template <Comparison F, class D>
HWY_INLINE std::int64_t compare_from(D d, std::int64_t i, const float* a, std::int64_t sa, const float* b,
                                     std::int64_t sb, std::uint8_t* out, std::int64_t count) {
  const hn::RebindToSigned<D> di;
  const auto step = static_cast<std::int64_t>(hn::Lanes(d));
  const auto first = hn::Set(d, *a), second = hn::Set(d, *b);
  for (; i + step <= count; i += step) {
    const auto x = sa == 1 ? hn::LoadU(d, a + i) : first, y = sb == 1 ? hn::LoadU(d, b + i) : second;
    const auto ones = hn::IfThenElseZero(hn::RebindMask(di, related<F>(x, y)), hn::Set(di, 1));
    const hn::Rebind<std::uint8_t, D> narrow;
    hn::StoreU(hn::DemoteTo(narrow, ones), narrow, out + i);
  }
  return i;
}

template <Comparison F>
void compare_run(const float* a, std::int64_t sa, const float* b, std::int64_t sb, std::uint8_t* out,
                 std::int64_t count) {
  if (count == 0) return;
  const std::int64_t i = compare_from<F>(hn::ScalableTag<float>(), 0, a, sa, b, sb, out, count);
  compare_from<F>(hn::CappedTag<float, 1>(), i, a, sa, b, sb, out, count);
}

void compare_of(Comparison f, const float* a, std::int64_t sa, const float* b, std::int64_t sb, std::uint8_t* out,
                std::int64_t count) {
  switch (f) {
    case Comparison::equal:
      return compare_run<Comparison::equal>(a, sa, b, sb, out, count);
    case Comparison::less:
      return compare_run<Comparison::less>(a, sa, b, sb, out, count);
    case Comparison::less_or_equal:
      return compare_run<Comparison::less_or_equal>(a, sa, b, sb, out, count);
    case Comparison::greater:
      return compare_run<Comparison::less>(b, sb, a, sa, out, count);
    case Comparison::greater_or_equal:
      return compare_run<Comparison::less_or_equal>(b, sb, a, sa, out, count);
  }
}

// out = c ? a : b for elements of 4 bytes; strides are 0 or 1.
void choose_of(const std::uint8_t* c, std::int64_t sc, const std::int32_t* a, std::int64_t sa, const std::int32_t* b,
               std::int64_t sb, std::int32_t* out, std::int64_t count) {
  const hn::ScalableTag<std::int32_t> d;
  const hn::Rebind<std::uint8_t, decltype(d)> narrow;
  const auto step = static_cast<std::int64_t>(hn::Lanes(d));
  std::int64_t i = 0;
  const auto same = hn::Set(d, *c), first = hn::Set(d, *a), second = hn::Set(d, *b);
  for (; i + step <= count; i += step) {
    const auto chosen = sc == 1 ? hn::PromoteTo(d, hn::LoadU(narrow, c + i)) : same;
    const auto yes = sa == 1 ? hn::LoadU(d, a + i) : first, no = sb == 1 ? hn::LoadU(d, b + i) : second;
    hn::StoreU(hn::IfThenElse(hn::Eq(chosen, hn::Zero(d)), no, yes), d, out + i);
  }
  for (; i < count; ++i) out[i] = c[i * sc] != 0 ? a[i * sa] : b[i * sb];
}

}  // namespace skerry::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace skerry::kernels {
HWY_EXPORT(run_of);
HWY_EXPORT(compare_of);
HWY_EXPORT(choose_of);

namespace {

// Calls run(where the result stands, where the inputs stand, how many) for runs of neighbours, shared by the threads.
template <class Run>
void for_runs(const BroadcastLoops<2>& loops, std::int64_t elements, Run&& run) {
  base::parallel_for(0, static_cast<std::size_t>(elements), kElementGrain, [&](std::size_t begin, std::size_t end) {
    loops.for_each_run(static_cast<std::int64_t>(begin), static_cast<std::int64_t>(end), run);
  });
}
using Places = std::array<std::int64_t, 2>;

// An operand of short floats as f32: `count` neighbours, or the one element that stands for all.
const float* widened(TensorView x, std::int64_t at, std::int64_t stride, std::int64_t count, float* to) {
  widen(x.dtype(), x.data() + 2 * at, static_cast<std::size_t>(stride == 0 ? 1 : count), to);
  return to;
}

}  // namespace

void binary_f32(Binary f, TensorView a, TensorView b, MutableTensorView out) {
  const BroadcastLoops<2> loops(out.shape(), {a.shape(), b.shape()});
  const auto* pa = reinterpret_cast<const float*>(a.data());
  const auto* pb = reinterpret_cast<const float*>(b.data());
  auto* po = reinterpret_cast<float*>(out.data());
  const auto function = HWY_DYNAMIC_DISPATCH(run_of);
  for_runs(loops, out.elements(), [&](std::int64_t at, const Places& in, std::int64_t count) {
    function(f, pa + in[0], loops.inner_stride(0), pb + in[1], loops.inner_stride(1), po + at, count);
  });
}

void binary_half(Binary f, TensorView a, TensorView b, MutableTensorView out) {
  constexpr std::int64_t kPiece = 512;
  const BroadcastLoops<2> loops(out.shape(), {a.shape(), b.shape()});
  const std::int64_t sa = loops.inner_stride(0), sb = loops.inner_stride(1);
  const auto function = HWY_DYNAMIC_DISPATCH(run_of);
  for_runs(loops, out.elements(), [&](std::int64_t at, const Places& in, std::int64_t count) {
    std::array<float, kPiece> first, second;
    for (std::int64_t i = 0; i < count; i += kPiece) {
      const std::int64_t here = std::min(kPiece, count - i);
      const float* x = widened(a, in[0] + i * sa, sa, here, first.data());
      const float* y = widened(b, in[1] + i * sb, sb, here, second.data());
      std::array<float, kPiece> results;
      function(f, x, sa, y, sb, results.data(), here);
      narrow(out.dtype(), results.data(), static_cast<std::size_t>(here), out.data() + 2 * (at + i));
    }
  });
}

void compare_f32(Comparison f, TensorView a, TensorView b, MutableTensorView out) {
  const BroadcastLoops<2> loops(out.shape(), {a.shape(), b.shape()});
  const auto* pa = reinterpret_cast<const float*>(a.data());
  const auto* pb = reinterpret_cast<const float*>(b.data());
  auto* po = reinterpret_cast<std::uint8_t*>(out.data());
  for_runs(loops, out.elements(), [&](std::int64_t at, const Places& in, std::int64_t count) {
    HWY_DYNAMIC_DISPATCH(compare_of)
    (f, pa + in[0], loops.inner_stride(0), pb + in[1], loops.inner_stride(1), po + at, count);
  });
}

void choose_four_bytes(const std::byte* c, std::int64_t sc, const std::byte* a, std::int64_t sa, const std::byte* b,
                       std::int64_t sb, std::byte* out, std::int64_t count) {
  if (count == 0) return;
  const auto words = [](const std::byte* from) { return reinterpret_cast<const std::int32_t*>(from); };
  HWY_DYNAMIC_DISPATCH(choose_of)
  (reinterpret_cast<const std::uint8_t*>(c), sc, words(a), sa, words(b), sb, reinterpret_cast<std::int32_t*>(out),
   count);
}

void binary_f32_run(Binary f, const float* a, bool a_moves, const float* b, bool b_moves, float* out,
                    std::size_t count) {
  HWY_DYNAMIC_DISPATCH(run_of)
  (f, a, a_moves ? 1 : 0, b, b_moves ? 1 : 0, out, static_cast<std::int64_t>(count));
}

}  // namespace skerry::kernels
#endif
