/// \file
/// Small files of /proc and /sys as text.
#pragma once

#include <filesystem>
#include <string>

namespace skerry::base {

/// The first 64 KiB of a file that the kernel makes up; empty when it is not there or may not be read.
std::string proc_text(const std::filesystem::path& path);

}  // namespace skerry::base
