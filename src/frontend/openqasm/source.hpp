/// \file
/// The texts of one import, and how a place in them is told to people.
#pragma once

#include <cstdint>
#include <deque>
#include <filesystem>
#include <skerry/error.hpp>
#include <skerry/limits.hpp>
#include <string>
#include <string_view>

namespace skerry::frontend::openqasm {

/// A place in one of the texts: an offset in the line of all texts, one after the other. Lines and columns are counted
/// only when an error is told.
struct Place {
  std::uint32_t offset = 0;
};

/// Program, includes and built-in libraries. Texts stay where they are until the object goes, so that tokens, names and
/// definitions are views into them.
class Sources {
 public:
  explicit Sources(const ImportLimits& limits) : limits_(limits) {}

  /// Adds a text that outlives this object and gives its number. A byte order mark is skipped.
  /// Errors: limit_exceeded past max_text_bytes (all texts together); syntax_error at the first byte that is not UTF-8.
  std::size_t add(std::string name, std::string_view text, std::filesystem::path folder);
  /// Reads `path` below the folder of text `from` and adds it. Errors: not_found, permission_denied for a path that
  /// leads out of the folder or to something that is not a plain file, and those of add(); all at `place`.
  std::size_t include(std::string_view path, std::size_t from, Place place);

  std::string_view text(std::size_t file) const { return files_[file].text; }
  Place begin(std::size_t file) const { return {files_[file].first}; }

  /// `name:line:column`, both from 1, the column counted in characters.
  std::string where(Place place) const;
  [[noreturn]] void fail(ErrorCode code, Place place, std::string message, std::string hint = {}) const;

  const ImportLimits& limits() const { return limits_; }

 private:
  struct File {
    std::string name;
    std::string_view text;
    std::filesystem::path folder;
    std::uint32_t first = 0;
  };
  void check_utf8(const File& file) const;

  ImportLimits limits_;
  std::deque<File> files_;
  std::deque<std::string> owned_;
  std::uint64_t total_ = 0;
};

}  // namespace skerry::frontend::openqasm
