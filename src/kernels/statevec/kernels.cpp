#include "kernels/statevec/kernels.hpp"

#include <array>
#include <cstdlib>
#include <skerry/error.hpp>
#include <string>

namespace skerry::kernels {

#define SKERRY_STATEVEC_KERNELS(name) \
  template <class T>                  \
  const Kernels<T>& name##_kernels();
#include "kernels/statevec/kernels.def"
#undef SKERRY_STATEVEC_KERNELS

namespace {

template <class T>
const Kernels<T>& choose() {
  const auto all = all_kernels<T>();
  const char* forced = std::getenv("SKERRY_FORCE_KERNEL");
  if (forced == nullptr || *forced == '\0') return *all.back();
  std::string names;
  for (const Kernels<T>* candidate : all) {
    if (candidate->name == forced) return *candidate;
    names += (names.empty() ? "" : ", ") + std::string(candidate->name);
  }
  throw Error(ErrorCode::invalid_argument, "no kernels are called '" + std::string(forced) + "'", "SKERRY_FORCE_KERNEL",
              "use one of " + names);
}

}  // namespace

template <class T>
std::span<const Kernels<T>* const> all_kernels() {
  static const std::array all = {
#define SKERRY_STATEVEC_KERNELS(name) &name##_kernels<T>(),
#include "kernels/statevec/kernels.def"
#undef SKERRY_STATEVEC_KERNELS
  };
  return all;
}

template <class T>
const Kernels<T>& kernels() {
  static const Kernels<T>& chosen = choose<T>();
  return chosen;
}

template std::span<const Kernels<float>* const> all_kernels<float>();
template std::span<const Kernels<double>* const> all_kernels<double>();
template const Kernels<float>& kernels<float>();
template const Kernels<double>& kernels<double>();

}  // namespace skerry::kernels
