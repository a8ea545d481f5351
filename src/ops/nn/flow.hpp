/// \file
/// Type inference one node at a time, with the shapes that flow through a graph as data.
#pragma once

#include <optional>
#include <vector>

#include "ops/nn/op_record.hpp"

namespace skerry::ops {

/// Follows a graph in order and remembers what is known of its integer values.
class TypeFlow {
 public:
  explicit TypeFlow(const Graph& graph);
  /// Types of the node's outputs by its record. Errors: as infer_types().
  std::vector<TensorType> infer(const Graph& graph, const Node& node);
  /// Value `id` turned out to be this constant.
  void constant_known(ValueId id, const Tensor& tensor);

 private:
  std::vector<std::optional<std::vector<Dim>>> dims_;
};

/// Infers inside the subgraphs of a node (branches of If, bodies of Loop and Scan) from the types of what it passes.
void infer_subgraphs(Graph& graph, NodeId id);

/// What Shape and Size give, which need the type of their input alone; nothing for other operators, and where it is
/// not known.
std::optional<std::vector<Tensor>> from_type_alone(const Graph& graph, const Node& node);

/// Runs a node whose inputs are all constant, by the first of its kernels that can; nothing when none can.
/// types: static. Errors: as the kernel's.
std::optional<std::vector<Tensor>> run_on_constants(const Graph& graph, const Node& node,
                                                    const std::vector<TensorType>& types);

}  // namespace skerry::ops
