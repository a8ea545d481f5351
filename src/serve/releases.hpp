/// \file
/// Which release of each model was served last, so that an older one does not come back.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <mutex>
#include <string>

namespace skerry::serve {

/// Keys of a package's metadata: which model it is a release of, and its number (`skerry compile --release NAME=N`).
inline constexpr const char* kReleaseOf = "release_of";
inline constexpr const char* kRelease = "release";

/// A floor for each model, in a file outside of the repository: whoever may put packages there, signed and once right,
/// must not be able to lower it (Samuel, Mathewson, Cappos & Dingledine 2010, TUF: rollback and mix-and-match). From
/// any thread.
class Releases {
 public:
  /// file: lines `NAME N`; made when the first model is loaded. Errors: io_error, corrupt with the line.
  explicit Releases(std::filesystem::path file);

  /// The release that a package's metadata tells. Errors: permission_denied when it tells none, or is of another model.
  static std::uint64_t release_of(const std::string& model, const std::map<std::string, std::string>& metadata);
  /// Errors: permission_denied for one that is older than what was served.
  void check(const std::string& model, std::uint64_t release) const;
  /// From now on nothing older is served; it is on the disk when this returns. Errors: io_error.
  void raise(const std::string& model, std::uint64_t release);

 private:
  std::filesystem::path file_;
  mutable std::mutex mutex_;
  std::map<std::string, std::uint64_t> floors_;
};

}  // namespace skerry::serve
