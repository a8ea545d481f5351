#include "sim/method.hpp"

#include <skerry/error.hpp>
#include <string>
#include <vector>

namespace skerry::sim {

#define SKERRY_METHOD(name) extern const Method name##_method;
// A weak reference takes nothing out of a static library: half a megabyte of kernels that only mode_methods() brings.
#define SKERRY_MODE_METHOD(name) extern const Method name##_method __attribute__((weak));
#include "sim/methods.def"
#undef SKERRY_METHOD
#undef SKERRY_MODE_METHOD

std::unique_ptr<ShotSource> Program::shots(std::span<const double> /*parameters*/,
                                           const Resources& /*resources*/) const {
  return nullptr;
}

std::span<const Method> methods() {
  static const std::vector<Method> all = [] {
    std::vector<Method> rows;
#define SKERRY_METHOD(name) rows.push_back(name##_method);
#define SKERRY_MODE_METHOD(name) \
  if (&name##_method != nullptr) rows.push_back(name##_method);
#include "sim/methods.def"
#undef SKERRY_METHOD
#undef SKERRY_MODE_METHOD
    return rows;
  }();
  return all;
}

const Method& find_method(std::string_view name) {
  std::string names;
  for (const Method& method : methods()) {
    if (method.name == name) return method;
    names += (names.empty() ? "" : ", ") + std::string(method.name);
  }
  throw Error(ErrorCode::invalid_argument, "no simulation method is called '" + std::string(name) + "'", {},
              "use auto or one of " + names);
}

}  // namespace skerry::sim
