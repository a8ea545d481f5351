/// \file
/// The files of an outbox: `ID.job` waits, `ID.done` and `ID.failed` are its answer.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/descriptor.hpp"
#include "edge/outbox/record.hpp"

namespace skerry::edge::outbox {

enum class Kind : std::uint8_t { job, done, failed };

struct Item {
  std::string id;
  Kind kind = Kind::job;
  std::uint64_t bytes = 0;
};

/// Holds nothing but a path: from any thread and process. What needs more than one step is done under a lock on the
/// folder that is held for milliseconds and ends with its process; who sends a job holds a lock on its file.
class Folder {
 public:
  /// Makes it (0700), and takes away what killed processes left half done. Errors: permission_denied, io_error.
  Folder(std::filesystem::path path, std::uint64_t max_bytes);

  /// One for each id: of a job that is answered already, the answer.
  std::vector<Item> items() const;
  std::optional<Item> find(std::string_view id) const;
  /// Errors: not_found, io_error; those of decode_record(). All name the file.
  Record read(const Item& item) const;
  /// The job that waits with this question for this endpoint.
  std::optional<Item> waiting(std::string_view question, std::string_view endpoint) const;
  /// Adds a job, unless one with its question waits: then that one's id. Errors: limit_exceeded, io_error.
  std::string add(const std::string& id, const Record& job) const;
  /// Writes the answer, then takes the job away. Errors: limit_exceeded, io_error.
  void answer(const std::string& id, Kind kind, const Record& answer) const;
  void remove(const std::string& id) const;
  /// The right to send a job, while the descriptor lives; none when another has it or the job is gone.
  std::optional<base::Descriptor> claim(const std::string& id) const;

 private:
  std::filesystem::path file(std::string_view id, Kind kind) const;
  base::Descriptor locked() const;
  void write(const std::filesystem::path& target, const Record& record, std::uint64_t freed) const;
  void sync() const;

  std::filesystem::path path_;
  std::uint64_t max_bytes_;
};

}  // namespace skerry::edge::outbox
