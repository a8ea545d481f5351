/// \file
/// Byte planes: all first bytes of some numbers, then all second bytes, and so on. Exponents of weights are alike and
/// mantissas are noise, so apart they compress and together they do not.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace skerry::package {

/// Numbers of `width` bytes in [offset, offset + bytes) of a section.
struct PlaneRegion {
  std::uint64_t offset = 0, bytes = 0, width = 1;
  bool operator==(const PlaneRegion&) const = default;
};

/// A region is cut into blocks of this size (the last is shorter), each stored as its own planes: a reader transposes
/// back in cache and needs no second copy of the section.
inline constexpr std::size_t kPlaneBlockBytes = std::size_t{1} << 20;

/// out[b * n + i] = in[i * width + b] for n numbers. Sizes are equal and a multiple of width; no overlap.
void split_planes(std::span<const std::byte> in, std::size_t width, std::span<std::byte> out) noexcept;
/// The inverse.
void join_planes(std::span<const std::byte> in, std::size_t width, std::span<std::byte> out) noexcept;

}  // namespace skerry::package
