/// \file
/// Graphs carried out node by node on values that are there: for shapes that depend on data, and for control flow.
#pragma once

#include <skerry/graph.hpp>
#include <skerry/progress.hpp>
#include <span>
#include <vector>

#include "base/memory.hpp"
#include "ops/nn/op_record.hpp"

namespace skerry::ops {

/// What an evaluation may use.
struct Evaluation {
  base::MemoryBudget* budget = nullptr;  ///< null: none
  const RunControl* control = nullptr;   ///< null: neither deadline nor cancellation
};

/// Whether a specialised graph can only be carried out this way: it branches or loops, or a shape depends on data.
bool depends_on_data(const Graph& graph);

/// The results of a graph for these inputs, one per graph input, of types that it takes. Each node's type rule sees the
/// values of its inputs; values live until their last use. Errors: budget_exceeded, deadline_exceeded, cancelled,
/// type_mismatch, out_of_range, unsupported; where: the node.
std::vector<Tensor> evaluate(const Graph& graph, std::span<const Tensor> inputs, const Evaluation& evaluation);

/// The results of an If, Loop or Scan whose inputs are all constant.
std::vector<Tensor> evaluate_control_flow(const Graph& graph, const Node& node, const Evaluation& evaluation);

}  // namespace skerry::ops
