/// \file
/// The latencies of a model as the histogram that everybody writes and asks.
#pragma once

#include <skerry/metrics.hpp>

#include "serve/statistics.hpp"

namespace skerry::serve {

/// Total seconds of requests that were answered.
inline HistogramSnapshot latency_of(const StatisticsSnapshot& all) {
  return {growing_bounds(bin_bound(0), 2.0, kBins),
          {all.latency.begin(), all.latency.end()},
          static_cast<double>(all.success.ns) * 1e-9};
}

}  // namespace skerry::serve
