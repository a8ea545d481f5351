/// \file
/// Files: mapped for reading, read whole up to a limit, and written so that a kill leaves the old one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>

namespace skerry::base {

/// A regular file, mapped read-only for as long as this lives. The file must not be truncated meanwhile.
class MappedFile {
 public:
  /// An empty file is an empty span. Errors: not_found; io_error (a folder, no permission); both name the path.
  static MappedFile open(const std::filesystem::path& path);
  MappedFile() = default;
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  ~MappedFile();

  /// The whole file; page aligned. Must not outlive the map.
  std::span<const std::byte> bytes() const noexcept { return {data_, size_}; }
  const std::filesystem::path& path() const noexcept { return path_; }

 private:
  const std::byte* data_ = nullptr;
  std::size_t size_ = 0;
  std::filesystem::path path_;
};

/// Says that bytes which lie in some MappedFile are not needed for now: their memory goes back, and comes from the file
/// again when they are read. Bytes elsewhere stay as they are. Costs microseconds.
void release_mapped(std::span<const std::byte> bytes) noexcept;

/// The content of a file or pipe. Errors: not_found, io_error; limit_exceeded as soon as more than `limit_bytes` come.
std::string read_file(const std::filesystem::path& path, std::uint64_t limit_bytes);

/// Replaces `path` by the parts, one after the other: temporary file in the same folder, fsync, rename, fsync of the
/// folder. Whoever reads sees the old file or the new one, never a part; after an error or a kill the old one. A
/// symbolic link is followed; an existing file keeps its permissions. Errors: io_error, not_found (the folder).
void write_file_atomically(const std::filesystem::path& path, std::span<const std::span<const std::byte>> parts);

/// The same for a content of any length, made on the way: next() gives one part after the other, an empty one at the
/// end. What it throws leaves the old file.
void write_file_atomically(const std::filesystem::path& path, const std::function<std::span<const std::byte>()>& next);

/// Removes what atomic writes into this folder left when their process was killed; those of living processes stay.
void remove_left_over(const std::filesystem::path& folder);

/// $XDG_CONFIG_HOME/skerry, else ~/.config/skerry. Not created. Errors: not_found without HOME.
std::filesystem::path config_dir();
/// $SKERRY_CACHE_DIR, else $XDG_CACHE_HOME/skerry, else ~/.cache/skerry. Not created. Errors: not_found without HOME.
std::filesystem::path cache_dir();

}  // namespace skerry::base
