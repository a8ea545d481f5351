/// \file
/// Files that nobody but their owner reads.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>

namespace skerry::base {

/// As write_file_atomically(); a new file has the permissions 0600, those of an existing one stay.
void write_private_file_atomically(const std::filesystem::path& path,
                                   std::span<const std::span<const std::byte>> parts);

}  // namespace skerry::base
