// The table alone: a program that defines methods() itself links no method that it does not name.

#include <array>

#include "sim/method.hpp"

namespace skerry::sim {

#define SKERRY_METHOD(name) extern const Method name##_method;
#define SKERRY_LARGE_METHOD(name) SKERRY_METHOD(name)
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
