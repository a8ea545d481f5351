/// \file
/// A circuit request of the wire, run here; its program may be a model or hybrid too (sent_models.hpp).
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <skerry/skerry.hpp>
#include <string>
#include <string_view>

#include "net/trace.hpp"
#include "wire/circuits.hpp"

namespace skerry::serve {

/// What one circuit request may take at most, whatever it asks for.
struct CircuitLimits {
  ImportLimits import{};
  std::uint64_t max_memory_bytes = std::uint64_t{2} << 30;
  double max_seconds = 3600.0;
  std::uint64_t max_shots = 100'000'000;
  std::size_t max_parameter_sets = 100'000;
  int threads = 0;
};

/// Whose circuit it is, and what is thought of him.
struct Submitter {
  std::string name;
  bool is_stranger = true;
  std::uint32_t max_qubits = 0;  ///< of a stranger's circuit; 0: any
  std::string placement = {};    ///< where his own side decided that it runs, and why, as he tells it; empty: nothing
  net::Trace run = {.trace_id = {}, .span_id = {}, .is_sampled = false};  ///< of the run itself
};

/// What is known of a circuit request beside its answer. Trivial, so that a worker process can send it as it lies in
/// memory.
struct CircuitNotes {
  std::array<char, 24> method{};                         ///< of the first set; zeros alone: none was chosen
  std::uint64_t need_bytes = 0, limit_bytes = 0;         ///< predicted and allowed; 0: not known
  double need_seconds = 0.0, limit_seconds = 0.0;        ///< likewise
  std::int64_t begun_ns = 0, read_ns = 0, ended_ns = 0;  ///< since 1970; 0: it did not come so far

  std::string_view method_name() const noexcept;
};
/// What a plan says.
CircuitNotes notes_of(const Plan& plan);

/// Where a refusal of run_circuits() for the circuit's width says that it is.
inline constexpr std::string_view kQuota = "quota";

/// Runs every parameter set, all of them together within the request's time and, with the answers as they are sent,
/// within the server's memory; both bound how long a program may be. max_qubits: 0: any. control: stop token, progress
/// (over all sets), deadline. notes: filled as far as it comes, also when it throws. between: called between two sets,
/// may take as long as it likes: the request's time does not run meanwhile. Errors: those of import and of run;
/// limit_exceeded for shots, sets and qubits; budget_exceeded for the answers.
wire::CircuitReply run_circuits(const wire::CircuitRequest& request, const CircuitLimits& limits,
                                std::uint32_t max_qubits, const RunControl& control, CircuitNotes& notes,
                                const std::function<void()>& between = {});

/// The plan of the first parameter set; nothing is run. control: stop token. Errors: those of import and planning.
Plan plan_circuits(const wire::CircuitRequest& request, const CircuitLimits& limits, const RunControl& control);
/// A plan as the answer to `POST /v2/circuits/plan`.
std::string plan_text(const Plan& plan);

}  // namespace skerry::serve
