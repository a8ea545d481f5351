/// \file
/// Carries a schedule out in memory of its own.
#pragma once

#include <complex>
#include <memory>
#include <skerry/progress.hpp>
#include <span>
#include <vector>

#include "base/memory.hpp"
#include "sim/tensor_network/schedule.hpp"

namespace skerry::sim {

/// Leaves and what depends on no slice; several workers may read it.
template <class T>
class FixedPart {
 public:
  /// Errors: budget_exceeded.
  FixedPart(const Schedule& schedule, const base::MemoryBudget& budget);
  /// Takes the elements of each leaf, then contracts what is fixed.
  void fill(std::span<const std::vector<std::complex<double>>> leaves, const RunControl& control);

 private:
  template <class>
  friend class Worker;
  const Schedule& schedule_;
  base::Buffer leaves_, numbers_;
};

template <class T>
class Worker {
 public:
  Worker(const Schedule& schedule, const base::MemoryBudget& budget);
  /// The value of one slice.
  std::complex<double> slice(FixedPart<T>& fixed, std::uint64_t number, const RunControl& control);

 private:
  const Schedule& schedule_;
  base::Buffer numbers_;
  std::vector<std::uint64_t> shift_;  // of each leaf in the present slice
};

}  // namespace skerry::sim
