/// \file
/// Lint: what a circuit does that costs without giving anything, and where its entanglement costs memory.
#pragma once

#include <cstdint>
#include <skerry/circuit.hpp>
#include <string>
#include <vector>

namespace skerry {

struct Finding {
  std::string name;  ///< `entanglement`, `unobserved_gates`, ...
  std::string message, hint;
  std::string where;  ///< `gate 17`, or empty for the whole circuit
};

/// Everything found, the costliest kind first. Bodies of control flow are looked at for wires and bits only.
/// O(wires x instructions) at most.
std::vector<Finding> lint(const Circuit& circuit);

/// For each cut between wires k and k + 1, an upper bound of the entropy of entanglement in bits (log2 of the Schmidt
/// rank) at any moment of the body, from |0...0>. A gate adds log2 of its operator Schmidt rank across the cut, one for
/// a controlled gate whose targets lie on one side; no cut has more than its smaller side, or than a neighbouring cut
/// and one. Control flow, after which nothing is known, counts as the most. Source: Vidal, quant-ph/0301063.
std::vector<std::uint32_t> entanglement_bounds(const Circuit& circuit);

}  // namespace skerry
