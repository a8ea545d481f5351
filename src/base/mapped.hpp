/// \file
/// Which bytes lie in mapped files, and who would rather have copies.
#pragma once

#include <cstddef>
#include <span>

namespace skerry::base {

/// Whether these bytes lie in some MappedFile, so that they can be had again from there.
bool is_mapped(std::span<const std::byte> bytes) noexcept;

/// While it lives, what this thread opens as a MappedFile is read into memory instead: for whoever keeps it for long
/// while others write to the file. A map of a file that is cut off ends the process (SIGBUS), and one of a file that is
/// written to changes under its reader. Costs the file's size in memory.
class CopiedFiles {
 public:
  CopiedFiles() noexcept;
  ~CopiedFiles();
  CopiedFiles(const CopiedFiles&) = delete;
  CopiedFiles& operator=(const CopiedFiles&) = delete;

 private:
  bool before_;
};

}  // namespace skerry::base
