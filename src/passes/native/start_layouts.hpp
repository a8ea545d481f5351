/// \file
/// Layouts from which the router sets out.
#pragma once

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "base/random.hpp"
#include "passes/native/route.hpp"
#include "passes/native/route_graph.hpp"

namespace skerry::passes::native {

/// Layouts of one program on one device. Bytes: those of its pairs, wires^2 while it is made.
class StartLayouts {
 public:
  StartLayouts(const RouteGraph& graph, std::uint32_t wires, const Coupling& coupling);

  /// The device wire of each program wire, spare wires after them. 0 goes along a path; odd numbers grow from
  /// who meets whom, what comes later counting less; the others are random inside a neighbourhood.
  std::vector<Wire> start(std::size_t number, base::Philox& random) const;

  /// The device with the edges of that path alone, other wires hanging off it: what may go along it in step, as a
  /// Fourier transform does in 3 CX a pair, is not tempted away. Null when the path is the device, or does not hold the
  /// program.
  const Coupling* path_alone() const noexcept { return path_alone_ ? &*path_alone_ : nullptr; }

 private:
  std::vector<Wire> longest_path() const;
  std::vector<Wire> path_from(Wire end) const;
  void keep_path_alone(std::size_t length);
  std::vector<Wire> gathered(base::Philox& random) const;
  std::vector<Wire> grown(base::Philox& random) const;
  Wire nearest(Wire wire, const std::vector<Wire>& places, const std::vector<std::uint8_t>& taken,
               const std::vector<double>& far_from_all) const;

  std::uint32_t wires_;
  const Coupling& coupling_;
  std::vector<std::vector<std::pair<Wire, double>>> partners_;
  std::vector<Wire> along_path_;  ///< all wires of the device, the path first
  std::optional<Coupling> path_alone_;
};

}  // namespace skerry::passes::native
