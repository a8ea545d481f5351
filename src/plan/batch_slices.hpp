/// \file
/// Batches that are run some rows at a time, so that what one step writes is still near when the next one reads it.
#pragma once

#include <cstdint>
#include <optional>
#include <skerry/graph.hpp>
#include <span>

namespace skerry::planning {

/// A graph for a part of the batch, to be run that many times.
struct BatchSlices {
  Graph graph;
  std::int64_t count = 1;
};

/// `whole` is `graph` specialised to `inputs`. Empty where slices would not pay (by bytes alone, so that every machine
/// and number of threads decides alike) or are not known to mean the same: every operator must give row i of its
/// result from row i of what it reads and from constants that do not depend on how many rows there are.
std::optional<BatchSlices> batch_slices(const Graph& graph, const Graph& whole, std::span<const TensorType> inputs);

}  // namespace skerry::planning
