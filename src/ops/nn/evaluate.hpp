/// \file
/// Graphs carried out node by node on values that are there: for shapes that depend on data, for control flow, and for
/// values that are no tensors of numbers.
#pragma once

#include <skerry/datum.hpp>
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

/// Whether a specialised graph can only be carried out this way: it branches or loops, a shape depends on data, or a
/// value is no tensor of numbers.
bool depends_on_data(const Graph& graph);

/// The results of a graph for these inputs, one per graph input, of types that it takes. Each node's type rule sees the
/// values of its inputs; values live until their last use. Errors: budget_exceeded, deadline_exceeded, cancelled,
/// type_mismatch, out_of_range, limit_exceeded, unsupported; where: the node.
std::vector<Datum> evaluate(const Graph& graph, std::vector<Datum> inputs, const Evaluation& evaluation);

/// The results of an If, Loop, Scan or SequenceMap (is_control_flow) for its inputs.
std::vector<Datum> evaluate_control_flow(const Node& node, std::vector<Datum> inputs, const Evaluation& evaluation);
bool is_control_flow(const Node& node) noexcept;

/// One node by its record's kernels (or as a view), in new memory. Texts may be among the inputs of an operator that
/// only moves elements. Errors: as evaluate().
std::vector<Datum> run_operator(Node node, std::span<const Datum> inputs, std::size_t outputs,
                                const Evaluation& evaluation);

/// The datum as this type has it: what an optional may hold becomes one, and an optional where none is meant what it
/// holds. Errors: type_mismatch for nothing.
Datum fitted(Datum datum, const TensorType& type);

/// Throws what is being handled as an Error whose place is the node: as it is where it names a place, budget_exceeded
/// for memory that the system refused, internal for what is no Error.
[[noreturn]] void rethrow_at(const Node& node);

/// New elements, charged to the evaluation's budget. Errors: budget_exceeded.
Tensor allocate(DType dtype, const Shape& shape, const Evaluation& evaluation);
/// The one writer's view of such.
MutableTensorView writable(const Tensor& tensor);

}  // namespace skerry::ops
