/// \file
/// Blocks of zeroed memory for tensors; nobody else takes them by hand.
#pragma once

#include <cstddef>
#include <cstdint>

namespace skerry::base {

/// Blocks from here on are mappings of their own: given back, their memory leaves the process at once, where a heap
/// keeps holes between what lives longer. Packing a network's weights takes and gives back more than the network has.
/// Buffers of a run, which is repeated, stay in the heap: the pages of a mapping are found anew each time.
constexpr std::uint64_t kMappedBytes = std::uint64_t{64} << 10;
constexpr std::uint64_t kBlockAlignment = 64;

/// Zeroed memory, 64-byte aligned, from Buffer::kLargeBytes on 2 MiB aligned and asked to be huge pages; null when the
/// system has none. bytes: more than 0.
std::byte* take_block(std::uint64_t bytes) noexcept;
/// bytes: as it was taken.
void give_back_block(std::byte* block, std::uint64_t bytes) noexcept;

}  // namespace skerry::base
