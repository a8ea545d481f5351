/// \file
/// Which bytes lie in mapped files.
#pragma once

#include <cstddef>
#include <span>

namespace skerry::base {

/// Whether these bytes lie in some MappedFile, so that they can be had again from there.
bool is_mapped(std::span<const std::byte> bytes) noexcept;

}  // namespace skerry::base
