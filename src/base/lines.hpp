/// \file
/// Cache lines, of which everything that stands in one buffer beside others takes whole ones.
#pragma once

#include <cstdint>

namespace skerry::base {

/// What Buffer::kAlignment is too.
constexpr std::uint64_t kLineBytes = 64;

/// So many bytes and what is missing to a whole line.
constexpr std::uint64_t whole_lines(std::uint64_t bytes) noexcept {
  return (bytes + kLineBytes - 1) / kLineBytes * kLineBytes;
}

}  // namespace skerry::base
