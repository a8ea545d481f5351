#include "base/plugin.hpp"

#include <dlfcn.h>

#include <cstdlib>
#include <vector>

namespace skerry::base {
namespace {

// Where the program or shared library that holds this very code lies.
std::filesystem::path own_folder() {
  Dl_info info{};
  if (dladdr(reinterpret_cast<void*>(&own_folder), &info) == 0 || info.dli_fname == nullptr) return {};
  std::error_code ignored;
  const auto path = std::filesystem::canonical(info.dli_fname, ignored);
  // A program is named as it was called, which may be a bare word found through PATH.
  return (ignored ? std::filesystem::read_symlink("/proc/self/exe", ignored) : path).parent_path();
}

}  // namespace

std::filesystem::path find_plugin(std::string_view file) {
  std::vector<std::filesystem::path> folders;
  if (const char* named = std::getenv("SKERRY_PLUGIN_DIR")) folders.emplace_back(named);
  const auto own = own_folder();
  // The last one is the build tree's: every program and the Python package lie two folders deep there.
  folders.insert(folders.end(), {own, own / "../lib", own / "../lib/skerry", own / "../../lib"});
  std::error_code ignored;
  for (const auto& folder : folders) {
    if (std::filesystem::exists(folder / file, ignored)) return folder / file;
  }
  return {};
}

}  // namespace skerry::base
