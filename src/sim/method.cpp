#include "sim/method.hpp"

#include <array>
#include <skerry/error.hpp>
#include <string>

namespace skerry::sim {

#define SKERRY_METHOD(name) extern const Method name##_method;
#include "sim/methods.def"
#undef SKERRY_METHOD

std::unique_ptr<ShotSource> Program::shots(std::span<const double> /*parameters*/,
                                           const Resources& /*resources*/) const {
  return nullptr;
}

std::span<const Method> methods() {
  static const std::array all = {
#define SKERRY_METHOD(name) name##_method,
#include "sim/methods.def"
#undef SKERRY_METHOD
  };
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
