#include "kernels/tensor/onednn/onednn.hpp"

#include <dlfcn.h>

#include <cstdlib>
#include <skerry/error.hpp>
#include <string_view>

#include "base/plugin.hpp"
#include "base/threads.hpp"

namespace skerry::kernels {
namespace {

constexpr const char* kLibrary = "libskerry_onednn.so";

struct Provider {
  const skerry_onednn_api* api = nullptr;
  std::string reason;
};

Provider load() {
  const auto path = base::find_plugin(kLibrary);
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) return {nullptr, dlerror()};
  const auto entry = reinterpret_cast<const skerry_onednn_api* (*)()>(dlsym(library, "skerry_onednn"));
  if (entry == nullptr || entry()->abi != SKERRY_ONEDNN_ABI)
    return {nullptr, path.string() + " belongs to another version"};
  return {entry(), {}};
}

const Provider& provider() {
  static const Provider kProvider = load();
  return kProvider;
}

Expected<std::shared_ptr<OnednnPrimitive>> wrap(void* handle, const char* reason) {
  if (handle == nullptr) return Unexpected{reason};
  return std::make_shared<OnednnPrimitive>(handle);
}

}  // namespace

Expected<bool> onednn_available() {
  static const Expected<bool> kAnswer = []() -> Expected<bool> {
    const char* setting = std::getenv("SKERRY_ONEDNN");
    if (setting != nullptr && std::string_view(setting) == "off") return Unexpected{"SKERRY_ONEDNN is off"};
    if (base::find_plugin(kLibrary).empty()) return Unexpected{std::string(kLibrary) + " is not installed"};
    return true;
  }();
  return kAnswer;
}

Expected<std::shared_ptr<OnednnPrimitive>> OnednnPrimitive::convolution(const skerry_onednn_conv& shape,
                                                                        std::span<const float> weights,
                                                                        std::span<const float> bias) {
  if (provider().api == nullptr) return Unexpected{provider().reason};
  const char* reason = "";
  return wrap(provider().api->make_conv(&shape, weights.data(), bias.empty() ? nullptr : bias.data(), &reason), reason);
}

OnednnPrimitive::~OnednnPrimitive() {
  provider().api->free(handle_);
}
std::uint64_t OnednnPrimitive::scratch_bytes() const {
  return provider().api->scratch_bytes(handle_);
}
std::uint64_t OnednnPrimitive::packed_bytes() const {
  return provider().api->packed_bytes(handle_);
}

void OnednnPrimitive::run(const float* x, float* out, std::span<std::byte> scratch) const {
  if (provider().api->run(handle_, x, out, scratch.data(), base::thread_budget()) != 0) {
    throw Error(ErrorCode::internal, "oneDNN failed", "convolution");
  }
}

}  // namespace skerry::kernels
