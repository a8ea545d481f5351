// A device's methods: the table of sim without what is too large for it. Being defined here, the function of the same
// name in sim/methods.cpp, and with it the large methods, stay out of the program; the kernels that only they use stay
// out with the measurement of their speed.

#include <array>

#include "kernels/rates.hpp"
#include "sim/method.hpp"

namespace skerry::kernels {

double measure_contraction(int threads, const RunControl& /*control*/) {
  return fallback_rates(threads)[Rate::contraction];
}

}  // namespace skerry::kernels

namespace skerry::sim {

#define SKERRY_METHOD(name) extern const Method name##_method;
#define SKERRY_LARGE_METHOD(name)
#include "sim/methods.def"
#undef SKERRY_METHOD

std::span<const Method> methods() {
  static const std::array all = {
#define SKERRY_METHOD(name) name##_method,
#include "sim/methods.def"
#undef SKERRY_METHOD
#undef SKERRY_LARGE_METHOD
  };
  return all;
}

}  // namespace skerry::sim
