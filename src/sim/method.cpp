#include "sim/method.hpp"

#include <skerry/error.hpp>
#include <string>

namespace skerry::sim {

std::unique_ptr<ShotSource> Program::shots(std::span<const double> /*parameters*/,
                                           const Resources& /*resources*/) const {
  return nullptr;
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
