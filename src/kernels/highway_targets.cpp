// The two functions by which Highway's headers ask what the CPU can do, answered here instead of by libhwy: loading
// that library measures a timer for 4 ms in a static constructor, more than a whole cold start of the runtime may take.
#include <hwy/targets.h>

namespace hwy {
namespace {

std::int64_t detect() {
  std::int64_t targets = HWY_EMU128 | HWY_SCALAR;
#if HWY_ARCH_X86
  // What each target may use, as Highway's own detection demands it (hwy/targets.cc); F16C, which not every compiler
  // can ask for, is in every CPU that has AVX2.
  __builtin_cpu_init();
  const bool ssse3 = __builtin_cpu_supports("ssse3") != 0;
  const bool sse4 = ssse3 && __builtin_cpu_supports("sse4.2") != 0;
  const bool avx2 = sse4 && __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0 &&
                    __builtin_cpu_supports("bmi") != 0 && __builtin_cpu_supports("bmi2") != 0;
  const bool avx3 = avx2 && __builtin_cpu_supports("avx512f") != 0 && __builtin_cpu_supports("avx512vl") != 0 &&
                    __builtin_cpu_supports("avx512dq") != 0 && __builtin_cpu_supports("avx512bw") != 0;
  targets |= (ssse3 ? HWY_SSSE3 : 0) | (sse4 ? HWY_SSE4 : 0) | (avx2 ? HWY_AVX2 : 0) | (avx3 ? HWY_AVX3 : 0);
#elif HWY_ARCH_ARM_A64
  targets |= HWY_NEON;
#endif
  return targets;
}

}  // namespace

std::int64_t SupportedTargets() {
  static const std::int64_t kTargets = detect();
  return kTargets;
}

ChosenTarget& GetChosenTarget() {
  static ChosenTarget chosen;
  return chosen;
}

}  // namespace hwy
