/// \file
/// Running a circuit in pieces: whether it can be, what that costs for what is asked, and the run.
#pragma once

#include <functional>
#include <memory>
#include <skerry/edge.hpp>

#include "base/expected.hpp"
#include "edge/cut/cuts.hpp"
#include "edge/cut/pieces.hpp"

namespace skerry::edge {

/// Where a circuit is cut. Parameters are still open.
struct Split {
  cut::Straight straight;
  cut::Cuts cuts;
  SplitReport report;                ///< of pieces whose state is asked for
  std::vector<std::uint32_t> ports;  ///< by piece
};

/// The cheapest split into pieces that fit the memory of the config, or, where an endpoint is known, into independent
/// parts of which some fit. The reason when there is none.
Expected<std::shared_ptr<const Split>> find_split(const Circuit& circuit, const EdgeExecutionConfig& config);

/// The split's report for this question. refusal: why it cannot be answered in pieces here, empty when it can.
SplitReport price(const Split& split, const RunOptions& options, const EdgeExecutionConfig& config,
                  std::string& refusal);

/// Runs one piece somewhere.
using PieceRunner = std::function<Result(std::size_t piece, const Circuit& circuit, const RunOptions& options)>;

/// Runs all pieces, together as far as memory and threads allow, and puts their answers together: expectation values,
/// counts, the state. Exact; samples of one seed are not those of a run in one piece.
/// Errors: those of the pieces (the others are stopped), budget_exceeded.
Result run_split(const Split& split, const SplitReport& report, const Circuit& circuit, const RunOptions& options,
                 const PieceRunner& run_piece);

}  // namespace skerry::edge
