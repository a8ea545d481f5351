/// \file
/// The audit log: who changed or was refused what, each line bound to all before it by a hash.
#pragma once

#include <cstdint>
#include <filesystem>
#include <mutex>
#include <string>
#include <string_view>

#include "base/descriptor.hpp"

namespace skerry::serve {

/// Appends lines `{"n": 7, "time": ..., "event": ..., ..., "hash": HEX}`, where the hash is SHA-256 of the hash before
/// and this line without its own. A line is on disk when write() returns. From any thread.
class AuditLog {
 public:
  /// Goes on where the file ends, and holds it: one process alone may write a chain. Errors: io_error; unavailable when
  /// another holds it; corrupt when what is there does not hold together.
  explicit AuditLog(const std::filesystem::path& file);
  /// Errors: io_error.
  void write(std::string_view event, std::string_view key, std::string_view what, int status);

 private:
  void append(std::string_view line);

  std::mutex mutex_;
  std::filesystem::path path_;
  base::Descriptor file_;
  std::uint64_t lines_ = 0;
  std::string head_;
};

/// What a check found: the number of lines that hold together and the hash of the last one. Kept elsewhere, that hash
/// shows later that no line was cut off the end.
struct AuditState {
  std::uint64_t lines = 0;
  std::string head;
};
/// Errors: not_found, io_error; corrupt with the first line that was changed, added, left out or moved.
AuditState verify_audit(const std::filesystem::path& file);

}  // namespace skerry::serve
