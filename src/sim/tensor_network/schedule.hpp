/// \file
/// A path made ready to run: steps in the order that needs least room, the places of all tensors, their axes.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/network/contract.hpp"
#include "sim/tensor_network/search.hpp"

namespace skerry::sim {

/// Where the numbers of a node lie.
struct TensorPlace {
  enum class Store : std::uint8_t { leaves, fixed, varying };
  Store store{};
  std::uint64_t offset = 0;  ///< in numbers
  std::uint64_t size = 1;    ///< of it, all slices of a leaf included
};

struct ContractionStep {
  NodeId a, b, out;
  kernels::ContractionAxes axes;
};

/// Bit `place` of the offsets in a leaf's numbers is bit `slice` of the slice's number.
struct SlicedAxis {
  NodeId leaf;
  std::uint32_t place, slice;
};

struct Schedule {
  std::vector<ContractionStep> steps;  ///< those that depend on no slice first
  std::size_t fixed_steps = 0;
  std::vector<TensorPlace> places;  ///< by node
  std::vector<SlicedAxis> sliced_axes;
  std::uint32_t sliced = 0;        ///< indices: 2^sliced slices
  std::uint64_t leaf_numbers = 0;  ///< room for the leaves
  std::uint64_t fixed_numbers = 0, varying_numbers = 0;
  NodeId root = 0;

  std::uint64_t slices() const noexcept { return std::uint64_t{1} << sliced; }
  /// Numbers that one worker needs of its own when all share what is fixed, and when they do not.
  std::uint64_t slice_numbers() const noexcept { return varying_numbers; }
  std::uint64_t all_numbers() const noexcept { return leaf_numbers + fixed_numbers + varying_numbers; }
};

Schedule make_schedule(const Network& network, const Path& path);

}  // namespace skerry::sim
