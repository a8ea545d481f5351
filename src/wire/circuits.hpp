/// \file
/// Messages about circuits: one run of a circuit on a server, its answers, and jobs.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <skerry/error.hpp>
#include <skerry/tensor.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "wire/body.hpp"

namespace skerry::wire {

/// Where circuits are run at once (POST), and where jobs live: POST submits, GET lists; `/ID`, `/ID/result`,
/// `/ID/events` (GET), `/ID/cancel` (POST).
inline constexpr std::string_view kCircuitsPath = "/v2/circuits";
inline constexpr std::string_view kJobsPath = "/v2/circuits/jobs";
inline constexpr std::size_t kMaxToken = 64;
/// A header in which whoever sends a circuit may tell where his own side decided that it runs, and why:
/// `cloud needs 4.3 GB and max_memory_mb allows 1.0 GB`; the first word is `edge`, `hybrid` or `cloud`.
inline constexpr std::string_view kPlacementHeader = "skerry-placement";

/// Inputs or outputs of a model.
using WireTensors = std::vector<std::pair<std::string, Tensor>>;

/// Values of a circuit's parameters: in order of declaration, or by name.
struct ParameterSet {
  std::vector<double> values;
  std::map<std::string, double> named;
  bool operator==(const ParameterSet&) const = default;
};

/// What shall be run. Defaults are those of skerry::RunOptions.
struct CircuitRequest {
  std::string id;       ///< given back with the answer
  std::string token;    ///< at most kMaxToken characters; the same token runs once, however often it is sent
  std::string program;  ///< OpenQASM, a JSON gate list, Skerry's text or the bytes of a package; a model or hybrid too
  /// SHA-256 of the program, 64 hex digits. With the program: keep it for me. Alone: that which I have sent. Empty: it
  /// is neither kept nor there.
  std::string program_digest;
  WireTensors inputs;                        ///< of a model
  std::vector<ParameterSet> parameter_sets;  ///< one answer for each; none: one answer without parameters
  std::uint64_t shots = 0;
  std::uint64_t seed = 0;
  std::string method = "auto";
  bool single_precision = false;
  std::vector<std::string> observables;  ///< sums of Pauli strings, `0.5*Z0 Z1 - X2`
  bool probabilities = false;
  std::vector<std::uint32_t> probability_wires;
  bool state = false;
  bool memory = false;
  std::optional<Tensor> initial_state;  ///< c64 or c128 [2^n]
  std::string checkpoint;               ///< bytes of where an earlier run stood; empty: the run begins at its start
  std::string noise;                    ///< JSON of a noise model; empty: none
  std::uint32_t max_bond_dimension = 0;
  std::optional<double> max_memory_mb, max_execution_time;
  bool binary = false;  ///< arrays of the answer as raw bytes
};

/// What one parameter set gave.
struct CircuitAnswer {
  std::vector<std::pair<std::string, std::uint64_t>> counts;  ///< bit string, leftmost the highest bit
  std::optional<Tensor> memory;                               ///< u64 [shots, ceil(bits / 64)]
  std::vector<double> expectations, standard_errors;
  std::optional<Tensor> probabilities;  ///< f64 [2^k]
  std::optional<Tensor> state;          ///< c64 or c128 [2^n]
  std::map<std::string, double> outputs;
  WireTensors tensors;  ///< outputs of a model
  double discarded_weight = 0.0, error_bound = 0.0;
  std::uint32_t bond_dimension = 0;
  // What it took on the server.
  std::string method;
  std::uint64_t predicted_bytes = 0, peak_bytes = 0;
  double predicted_seconds = 0.0, seconds = 0.0;
  int threads = 1;
};

struct CircuitReply {
  std::string id;
  std::vector<CircuitAnswer> results;
};

enum class JobState : std::uint8_t { queued, running, done, failed, cancelled };
std::string_view job_state_name(JobState state) noexcept;
constexpr bool is_final(JobState state) noexcept {
  return state >= JobState::done;
}

struct JobStatus {
  std::string id;     ///< 32 hex digits
  std::string token;  ///< as submitted
  JobState state = JobState::queued;
  double progress = 0.0;                               ///< in [0, 1], never falls
  std::string stage;                                   ///< what the run is at
  double submitted = 0.0, started = 0.0, ended = 0.0;  ///< seconds since 1970; 0: not yet
  std::optional<Error> error;                          ///< of a failed job
};

/// Every encoder gives a body of its own; every decoder refuses with the field's name.
/// Errors: unsupported (a dtype without a name in the protocol).
Body encode(const CircuitRequest& request);
/// Errors: syntax_error, limit_exceeded, invalid_argument (an unknown field too).
CircuitRequest decode_circuit_request(const BodyView& body);
/// binary: arrays as raw bytes.
Body encode(const CircuitReply& reply, bool binary);
CircuitReply decode_circuit_reply(const BodyView& body);
Body encode(const JobStatus& status);
JobStatus decode_job_status(std::string_view json);

/// `{"error": "...", "code": "not_found", "where": "...", "hint": "..."}`.
std::string encode(const Error& error);
/// The error that a server sent. A body that is no such message, or that has no known code, becomes unavailable for
/// statuses 429 and 5xx, permission_denied for 401 and 403, not_found for 404 and invalid_argument for the rest.
Error decode_error(int http_status, std::string_view body);

}  // namespace skerry::wire
