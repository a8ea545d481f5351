/// \file
/// Bounds of a result in vectors of f32, for kernels that are compiled once for every instruction set: included after
/// highway.h, once for each of them.

// Highway's per-target guard, which is undone each time another target is compiled.
#if defined(SKERRY_KERNELS_TENSOR_BOUNDS_SIMD) == defined(HWY_TARGET_TOGGLE)
#ifdef SKERRY_KERNELS_TENSOR_BOUNDS_SIMD
#undef SKERRY_KERNELS_TENSOR_BOUNDS_SIMD
#else
#define SKERRY_KERNELS_TENSOR_BOUNDS_SIMD
#endif

#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace skerry::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// `value` where it lies within the bounds, else the one it passed; a not-a-number stays.
struct Bounds {
  using V = hn::Vec<hn::ScalableTag<float>>;
  V low, high;

  HWY_INLINE Bounds(float least, float most)
      : low(hn::Set(hn::ScalableTag<float>(), least)), high(hn::Set(hn::ScalableTag<float>(), most)) {}
  HWY_INLINE V operator()(V value) const {
#if HWY_ARCH_X86 || HWY_ARCH_ARM
    // Of two numbers that cannot be compared, x86 gives the second, and Arm what is none.
    return hn::Min(high, hn::Max(low, value));
#else
    value = hn::IfThenElse(hn::Lt(value, low), low, value);
    return hn::IfThenElse(hn::Gt(value, high), high, value);
#endif
  }
};

}  // namespace skerry::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
