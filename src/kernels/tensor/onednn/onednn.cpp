#include "kernels/tensor/onednn/onednn.hpp"

#include <dlfcn.h>

#include <cstdlib>
#include <filesystem>
#include <skerry/error.hpp>
#include <string_view>
#include <vector>

#include "base/threads.hpp"

namespace skerry::kernels {
namespace {

constexpr const char* kLibrary = "libskerry_onednn.so";

struct Provider {
  const skerry_onednn_api* api = nullptr;
  std::string reason;
};

// Where the program or shared library that holds this very code lies.
std::filesystem::path own_folder() {
  Dl_info info{};
  if (dladdr(reinterpret_cast<void*>(&own_folder), &info) == 0 || info.dli_fname == nullptr) return {};
  std::error_code ignored;
  const auto path = std::filesystem::canonical(info.dli_fname, ignored);
  // A program is named as it was called, which may be a bare word found through PATH.
  return (ignored ? std::filesystem::read_symlink("/proc/self/exe", ignored) : path).parent_path();
}

std::filesystem::path find_library() {
  std::vector<std::filesystem::path> folders;
  if (const char* named = std::getenv("SKERRY_PLUGIN_DIR")) folders.emplace_back(named);
  const auto own = own_folder();
  // The last one is the build tree's: every program and the Python package lie two folders deep there.
  folders.insert(folders.end(), {own, own / "../lib", own / "../lib/skerry", own / "../../lib"});
  std::error_code ignored;
  for (const auto& folder : folders) {
    if (std::filesystem::exists(folder / kLibrary, ignored)) return folder / kLibrary;
  }
  return {};
}

Provider load() {
  const auto path = find_library();
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
    if (find_library().empty()) return Unexpected{std::string(kLibrary) + " is not installed"};
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

Expected<std::shared_ptr<OnednnPrimitive>> OnednnPrimitive::product(const skerry_onednn_product& shape,
                                                                    std::span<const float> weights,
                                                                    std::span<const float> bias) {
  if (provider().api == nullptr) return Unexpected{provider().reason};
  const char* reason = "";
  return wrap(provider().api->make_product(&shape, weights.data(), bias.empty() ? nullptr : bias.data(), &reason),
              reason);
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
