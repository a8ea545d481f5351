/// \file
/// A graph whose weights were made small while nobody uses it.
#pragma once

#include <skerry/graph.hpp>
#include <vector>

#include "base/memory.hpp"
#include "package/planes.hpp"

namespace skerry {

/// Holds a graph with its larger constants compressed (byte planes and zstd, as in packages), unless they lie in a
/// mapped file, whose pages are given back instead.
class RestingGraph {
 public:
  /// Charges what it holds to the current account. Storage is given back as far as nobody else holds the constants.
  explicit RestingGraph(Graph graph);

  /// The graph as it was, to the bit. Errors: budget_exceeded; then this is as before.
  Graph restored() const;
  std::uint64_t compressed_bytes() const noexcept;

 private:
  struct Packed {
    ValueId id;
    Shape shape;
    std::vector<std::byte> bytes;
    std::vector<package::PlaneRegion> regions;
  };
  Graph graph_;  ///< without what is in packed_
  std::vector<Packed> packed_;
  base::Reservation held_;
};

}  // namespace skerry
