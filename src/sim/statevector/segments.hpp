/// \file
/// The stretches of code that only apply gates, each planned as sweeps.
#pragma once

#include <cstdint>
#include <skerry/circuit.hpp>
#include <skerry/options.hpp>
#include <vector>

#include "sim/statevector/code.hpp"
#include "sim/statevector/sweeps.hpp"

namespace skerry::sim {

/// Steps [begin, end): gates that are entered at the first and left after the last.
struct Segment {
  std::uint32_t begin = 0, end = 0;
  std::vector<GateRef> gates;
  SweepPlan plan;
  std::vector<WindowPass> passes;  ///< of a state on disk; else empty
  bool is_static = true;           ///< parameters do not depend on classical values

  GateList list(const Circuit& circuit, const Code& code, Direction direction = Direction::forward) const {
    return {&circuit, code.positions, gates, direction};
  }
};

/// Which steps become segments.
struct Stretch {
  std::uint32_t first = 0;    ///< step that the run begins with
  bool from_zero = true;      ///< it begins in |0>
  std::uint32_t longest = 0;  ///< gates of a segment; 0: as many as there are
};

/// All segments before the tail, in order. No jump leads into the middle of one.
std::vector<Segment> find_segments(const Circuit& circuit, const Code& code, Precision precision,
                                   const Stretch& stretch, const RunControl& control);

}  // namespace skerry::sim
