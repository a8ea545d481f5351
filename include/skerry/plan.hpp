/// \file
/// What a run would take and why: every decision, told before anything is allocated.
#pragma once

#include <cstdint>
#include <skerry/options.hpp>
#include <string>
#include <vector>

namespace skerry {

/// A simulator, kernel or place that was considered.
struct Candidate {
  std::string name;
  bool chosen = false;
  std::string reason;  ///< why it lost or could not; empty for the chosen one
  std::uint64_t peak_bytes = 0;
  double seconds = 0.0;
  bool may_approximate = false;  ///< its answers may be off by what the result's error_bound tells
  /// Bound on the distance of the final state from the exact one, all gates' rounding together; none where it is only
  /// known with the result. Source: Higham 2002, section 3.6: a product with a unitary matrix of m rows is off by at
  /// most 2 (m + 4) sqrt(m) units of rounding.
  std::optional<double> error_bound;
};

/// One step of a model's plan: which kernel computes which node.
struct StepReport {
  std::string node, op, kernel;
  std::string output;  ///< types of the outputs: `f32[1,64,112,112]`
  double seconds = 0.0;
  std::vector<Candidate> candidates;
};

/// Where the memory of a run goes; the sum is Plan::peak_bytes.
struct MemoryReport {
  std::uint64_t weights = 0;  ///< constants that the steps read
  std::uint64_t packed = 0;   ///< weights repacked for their kernels
  std::uint64_t arena = 0;    ///< intermediate tensors, all of them in one block
  std::uint64_t scratch = 0;
  std::uint64_t outputs = 0;
  std::uint64_t state = 0;  ///< amplitudes and the simulator's own buffers
};

/// A prediction and the decisions behind it. For eyes and JSON; what runs is made from the same decisions.
struct Plan {
  std::string kind;  ///< `circuit` or `graph`
  std::string placement = "local";
  std::string method;  ///< of a circuit; `graph` for a model
  Precision precision = Precision::double_precision;
  int threads = 1;
  std::uint64_t peak_bytes = 0;
  double seconds = 0.0;
  bool rates_measured = false;  ///< false: seconds come from fallback rates
  std::optional<std::uint64_t> max_memory_bytes;
  std::optional<double> max_seconds;
  std::vector<Candidate> candidates;  ///< methods
  std::vector<StepReport> steps;      ///< of a model, in order
  MemoryReport memory;

  /// Some lines for people: what was chosen, what it takes, why each other one lost.
  std::string explain() const;
};

}  // namespace skerry
