/// \file
/// Circuits that wait on disk for an endpoint that cannot be reached, and their answers.
#pragma once

#include <cstdint>
#include <memory>
#include <skerry/edge.hpp>
#include <skerry/error.hpp>
#include <skerry/progress.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace skerry::edge {

/// damaged: the file is not what was written; it is left as it is.
enum class OutboxState : std::uint8_t { waiting, done, failed, damaged };
std::string_view outbox_state_name(OutboxState state) noexcept;

struct OutboxEntry {
  std::string id;  ///< 32 hex digits, and the token by which the endpoint knows the job
  OutboxState state = OutboxState::waiting;
  std::string circuit_id, endpoint;
  double kept = 0.0, answered = 0.0;  ///< seconds since 1970; 0: not yet
  std::uint64_t bytes = 0;            ///< on disk
  std::string finding;                ///< why it failed, what is damaged, why it still waits
};

/// Thrown by an execution that went into the outbox because its endpoint could not be reached; code: unavailable.
class JobKept : public Error {
 public:
  JobKept(const Error& why, std::string id);
  const std::string& id() const noexcept { return id_; }

 private:
  std::string id_;
};

/// A folder of jobs for `cloud_endpoint`. From any thread, and from several processes at once: each entry is sent by
/// one of them. An entry is on the disk, whole, when keep() returns (written aside, fsync, rename), and leaves it when
/// its answer is there: whoever is killed in between sends it again under the same token, and the endpoint, as long as
/// it remembers the job, runs it once. Folder 0700, files 0600; no key is written.
class Outbox {
 public:
  /// Makes the folder. Errors: invalid_argument (no outbox_folder), permission_denied (others may write into it),
  /// io_error.
  explicit Outbox(EdgeExecutionConfig config);
  ~Outbox();

  /// Keeps a run for later without trying it now. Of a question whose answer cannot differ one is kept, again and
  /// again. Its id. Errors: invalid_argument (no endpoint, or fallback_to_cloud is off), limit_exceeded
  /// (outbox_size_mb), unsupported, io_error.
  std::string keep(const CompiledPtr& circuit, const ExecutionInput& input = {});
  /// What is there, oldest first; damaged entries last.
  std::vector<OutboxEntry> entries() const;
  /// Gives what waits for the configured endpoint to it, then collects the answers, each within cloud_timeout: all that
  /// waited, as it is now. One that the endpoint refuses has failed; one that it cannot be given, or that is not
  /// answered in time, waits on with the reason as its finding. Errors: invalid_argument as keep(), cancelled and
  /// deadline_exceeded by `control`, io_error.
  std::vector<OutboxEntry> send(const RunControl& control = {});
  /// The answer; it stays until it is dropped. Errors: not_found; unavailable while it waits; corrupt; that of the run.
  ResultPtr result(std::string_view id) const;
  /// Forgets an entry, whatever its state. What the endpoint was given already it may still run.
  /// Errors: not_found; unavailable while somebody sends it.
  void drop(std::string_view id);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace skerry::edge
