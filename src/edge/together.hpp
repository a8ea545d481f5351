/// \file
/// Pieces of work side by side, as many as memory and threads allow.
#pragma once

#include <cstdint>
#include <functional>
#include <span>

namespace skerry::edge {

/// Calls work(i) for each i, on up to `workers` threads, the largest first, never with more than limit_bytes at once
/// (one that is larger runs alone). When one throws, no other is begun, `stop` is called, and the first error is thrown
/// once all have ended.
void run_together(std::span<const std::uint64_t> bytes, std::uint64_t limit_bytes, int workers,
                  const std::function<void(std::size_t)>& work, const std::function<void()>& stop);

}  // namespace skerry::edge
