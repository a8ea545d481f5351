/// \file
/// Where the time of a model goes: each step's seconds, bytes and arithmetic beside what this machine can do.
#pragma once

#include <cstdint>
#include <skerry/session.hpp>
#include <string>
#include <vector>

namespace skerry {

/// What this machine was measured to do with so many threads: products of float32 matrices, products of 8-bit integers,
/// and element-wise passes over what is in memory or in the cache. The rates that plans predict with.
struct Peaks {
  int threads = 1;
  bool measured = false;  ///< false: the fallback table
  double flops_per_second = 0.0, int8_per_second = 0.0;
  double bytes_per_second = 0.0, cached_bytes_per_second = 0.0;
};

/// One step with its place under the roofline. Source: Williams, Waterman, Patterson 2009, doi:10.1145/1498765.1498785.
struct ProfiledStep : StepTime {
  double flops = 0.0;          ///< by the operator's definition, see skerry::profile
  bool int8 = false;           ///< a product of 8-bit integers, measured against that peak
  double share_of_peak = 0.0;  ///< of the peak in arithmetic a second; above 1 where a kernel needs fewer (Winograd)
  double share_of_roof = 0.0;  ///< of what arithmetic or bytes allow, whichever allows less
  bool memory_bound = false;   ///< bytes are what allows less
};

/// A model's steps in order.
struct Profile {
  std::string name;
  Peaks peaks;
  double seconds = 0.0, flops = 0.0;  ///< of all steps
  std::uint64_t bytes = 0;
  std::size_t runs = 0;
  std::vector<ProfiledStep> steps;

  /// A table, the slowest step first.
  std::string text() const;
  /// One page that needs nothing else: the table and the roofline as a drawing. Every name is escaped.
  std::string html() const;
};

/// Plans as a session of Level::high does, measures the machine if that was not done yet, and takes the median of each
/// step over `runs` runs after one that warms up. Operations are counted by definition: 2mnk for a product, 1 for each
/// element of an element-wise operator, 5 for each of a softmax or normalisation, 0 for moving. Errors: those of
/// Session::profile.
Profile profile(const Graph& graph, const NamedTensors& inputs, const Limits& limits = {}, std::size_t runs = 11);

/// The measured peaks for a number of threads; 0: the process's budget.
Peaks machine_peaks(int threads = 0);

}  // namespace skerry
