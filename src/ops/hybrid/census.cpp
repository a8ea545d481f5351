#include "ops/hybrid/census.hpp"

#include <algorithm>
#include <skerry/error.hpp>

#include "ops/hybrid/circuit.hpp"

namespace skerry::ops {
namespace {

template <class F>
void each_circuit(const Graph& graph, bool is_inner, F visit) {
  for (const Node& node : graph.nodes()) {
    if (node.op == "circuit") visit(graph, node, is_inner);
    for (const auto& [name, attribute] : node.attributes) {
      if (const auto* inner = std::get_if<Subgraph>(&attribute)) each_circuit(**inner, true, visit);
    }
  }
}

// Nothing: that is known at run time alone.
std::optional<std::int64_t> rows_of(const Graph& graph, const Node& node) {
  if (node.inputs.empty() || node.inputs[0] == kNoValue) return 1;
  const auto shape = graph.value(node.inputs[0]).type.static_shape();
  if (!shape) return std::nullopt;
  return shape->rank() == 2 ? (*shape)[0] : 1;
}

}  // namespace

std::uint32_t widest_circuit(const Graph& graph) {
  std::uint32_t widest = 0;
  each_circuit(graph, false, [&widest](const Graph&, const Node& node, bool) {
    widest = std::max(widest, decode_circuit_node(node).circuit->num_wires());
  });
  return widest;
}

std::uint64_t drawn_shots(const Graph& graph) {
  constexpr std::uint64_t kMost = std::uint64_t{1} << 62;
  std::uint64_t shots = 0;
  each_circuit(graph, false, [&shots](const Graph& inside, const Node& node, bool is_inner) {
    const std::uint64_t each = decode_circuit_node(node).options.shots;
    if (each == 0) return;
    const auto rows = is_inner ? std::nullopt : rows_of(inside, node);
    if (!rows) {
      throw Error(ErrorCode::unsupported, "how many shots it draws hangs on its data", node.name,
                  "ask for probabilities or expectation values");
    }
    if (*rows > 0 && each > (kMost - shots) / static_cast<std::uint64_t>(*rows))
      throw Error(ErrorCode::limit_exceeded, "it draws more than 2^62 shots", node.name);
    shots += each * static_cast<std::uint64_t>(*rows);
  });
  return shots;
}

}  // namespace skerry::ops
