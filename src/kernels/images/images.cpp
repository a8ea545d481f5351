#include "kernels/images/images.hpp"

#include <dlfcn.h>

#include <exception>
#include <skerry/error.hpp>
#include <string>

#include "base/plugin.hpp"
#include "kernels/images/abi.h"

namespace skerry::kernels {
namespace {

constexpr const char* kLibrary = "libskerry_images.so";

const skerry_images_api& library() {
  static const skerry_images_api* const kApi = [] {
    const auto path = base::find_plugin(kLibrary);
    void* library = path.empty() ? nullptr : dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr)
      throw Error(ErrorCode::unsupported,
                  "images cannot be decoded: " +
                      (path.empty() ? std::string(kLibrary) + " is not installed" : std::string(dlerror())),
                  {}, "install it beside skerry, or name its folder in SKERRY_PLUGIN_DIR");
    const auto entry = reinterpret_cast<decltype(&skerry_images)>(dlsym(library, "skerry_images"));
    if (entry == nullptr || entry()->abi != SKERRY_IMAGES_ABI)
      throw Error(ErrorCode::unsupported, path.string() + " belongs to another version of Skerry", {},
                  "install the one that came with this version");
    return entry();
  }();
  return *kApi;
}

// What is thrown on the way waits here until the libraries of the formats have cleared up.
struct Asked {
  const ImageMemory* memory;
  std::exception_ptr thrown;
};

unsigned char* begin(void* user, std::uint64_t height, std::uint64_t width) {
  auto& asked = *static_cast<Asked*>(user);
  try {
    if (height != 0 && width > kMostPixels / height)
      throw Error(ErrorCode::limit_exceeded,
                  "an image of " + std::to_string(height) + " x " + std::to_string(width) + " pixels, more than " +
                      std::to_string(kMostPixels),
                  {}, "scale it down before");
    return reinterpret_cast<unsigned char*>((*asked.memory)(height, width));
  } catch (...) {
    asked.thrown = std::current_exception();
    return nullptr;
  }
}

}  // namespace

bool decode_image(std::span<const std::byte> file, const ImageMemory& memory) {
  Asked asked{.memory = &memory, .thrown = {}};
  const char* format = "";
  const auto outcome =
      library().decode(reinterpret_cast<const unsigned char*>(file.data()), file.size(), begin, &asked, &format);
  if (asked.thrown) std::rethrow_exception(asked.thrown);
  if (outcome == SKERRY_IMAGES_MISSING)
    throw Error(ErrorCode::unsupported, std::string(kLibrary) + " was built without " + format, {},
                "install the library that reads it and build Skerry again");
  return outcome == SKERRY_IMAGES_DECODED;
}

}  // namespace skerry::kernels
