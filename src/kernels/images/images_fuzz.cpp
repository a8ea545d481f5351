#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "kernels/images/abi.h"

namespace {

// Few pixels: what is tried is the readers, not the memory.
constexpr std::uint64_t kMostPixels = 1U << 20;

unsigned char* begin(void* user, std::uint64_t height, std::uint64_t width) {
  if (width > kMostPixels / height) return nullptr;
  auto& pixels = *static_cast<std::vector<unsigned char>*>(user);
  if (!pixels.empty()) std::abort();  // it is asked once
  pixels.resize(height * width * 3);
  return pixels.data();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::vector<unsigned char> pixels;
  const char* format = "";
  skerry_images()->decode(data, size, begin, &pixels, &format);
  return 0;
}
