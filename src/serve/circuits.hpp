/// \file
/// A circuit request of the wire, run here.
#pragma once

#include <skerry/skerry.hpp>

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

/// Runs every parameter set. control: stop token, progress (over all sets), deadline.
/// Errors: those of import and of run; limit_exceeded for shots and sets.
wire::CircuitReply run_circuits(const wire::CircuitRequest& request, const CircuitLimits& limits,
                                const RunControl& control);

/// Errors: limit_exceeded for a circuit of more than max_qubits (0: any); those of import.
void check_width(const wire::CircuitRequest& request, const CircuitLimits& limits, std::uint32_t max_qubits);

/// The plan of the first parameter set; nothing is run. Errors: those of import and planning.
Plan plan_circuits(const wire::CircuitRequest& request, const CircuitLimits& limits);
/// A plan as the answer to `POST /v2/circuits/plan`.
std::string plan_text(const Plan& plan);

}  // namespace skerry::serve
