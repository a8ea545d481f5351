/// \file
/// Libraries that are opened only when they are needed.
#pragma once

#include <filesystem>
#include <string_view>

namespace skerry::base {

/// Where the library `file` (`libskerry_onednn.so`) lies: in SKERRY_PLUGIN_DIR, beside the program or library that
/// holds this code, or in the lib folders of an install tree or a build tree. Empty: nowhere.
std::filesystem::path find_plugin(std::string_view file);

}  // namespace skerry::base
