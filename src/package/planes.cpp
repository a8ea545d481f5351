#include "package/planes.hpp"

namespace skerry::package {

void split_planes(std::span<const std::byte> in, std::size_t width, std::span<std::byte> out) noexcept {
  const std::size_t count = in.size() / width;
  for (std::size_t b = 0; b < width; ++b) {
    const std::byte* from = in.data() + b;
    std::byte* to = out.data() + b * count;
    for (std::size_t i = 0; i < count; ++i) to[i] = from[i * width];
  }
}

void join_planes(std::span<const std::byte> in, std::size_t width, std::span<std::byte> out) noexcept {
  const std::size_t count = in.size() / width;
  for (std::size_t b = 0; b < width; ++b) {
    const std::byte* from = in.data() + b * count;
    std::byte* to = out.data() + b;
    for (std::size_t i = 0; i < count; ++i) to[i * width] = from[i];
  }
}

}  // namespace skerry::package
