/// \file
/// The classical side of a trajectory: bits, variables, and the steps that compute with them.
#pragma once

#include <cstdint>
#include <skerry/circuit.hpp>
#include <skerry/expression.hpp>
#include <skerry/progress.hpp>
#include <span>
#include <vector>

#include "sim/statevector/code.hpp"

namespace skerry::sim {

/// Values of one trajectory. A copy is a branch point.
struct Classical {
  std::vector<std::uint8_t> bits;
  std::vector<Scalar> variables;
  std::uint64_t jumps_back = 0;  ///< loop iterations so far
};

/// Runs classical steps of one program with one set of parameters. Immutable; from any thread.
class ClassicalUnit {
 public:
  /// Jumps back that a trajectory may make: a loop that waits for what never comes must end.
  static constexpr std::uint64_t kMaxJumpsBack = 10'000'000;

  ClassicalUnit(const Circuit& circuit, const Code& code, std::vector<Scalar> parameters)
      : circuit_(circuit), code_(code), parameters_(std::move(parameters)) {}

  /// All bits 0, all variables 0, as many bits as the code writes.
  Classical initial(std::uint32_t bits) const;
  /// Value of an expression. Errors: semantic_error, out_of_range.
  Scalar evaluate(ExprId id, const Classical& values) const;
  /// Runs the assign or jump at step `pc`; gives the next one. Errors: those of evaluate, out_of_range for an array
  /// index, limit_exceeded for an endless loop, what control.check() throws.
  std::uint32_t step(std::uint32_t pc, Classical& values, const RunControl& control) const;

 private:
  void assign(const Assignment& assignment, Classical& values) const;

  const Circuit& circuit_;
  const Code& code_;
  std::vector<Scalar> parameters_;
};

}  // namespace skerry::sim
