/// \file
/// Where an execution goes: here, in pieces, or to the endpoint; decided from numbers that are known at once.
#pragma once

#include <optional>
#include <skerry/edge.hpp>
#include <string>

namespace skerry::edge {

/// What a run takes.
struct Need {
  std::uint64_t bytes = 0;
  double seconds = 0.0;
};

/// What the decision looks at.
struct Question {
  const EdgeExecutionConfig& config;
  std::uint64_t peak_bytes = 0;  ///< of a run here
  double seconds = 0.0;
  std::string cannot_run;            ///< why no method can run it here; empty when one can
  std::optional<Need> compressed;    ///< of a run here in single precision, where that is allowed and takes less
  std::optional<SplitReport> split;  ///< priced for what is asked
  std::string why_not_split;         ///< not empty: why it cannot be run in pieces
  Resources resources;
  std::string endpoint_failure;   ///< what its last call met
  std::uint64_t whole_bytes = 0;  ///< as in Placement
};

/// Here, unless it does not fit, or the machine is short of memory, time, power or coolness and the endpoint seems up;
/// then in pieces when it does not fit, else at the endpoint. What only would be better elsewhere still runs here when
/// nobody else can; and what nobody can run, compressed.
Placement decide(const Question& question);

}  // namespace skerry::edge
