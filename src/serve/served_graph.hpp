/// \file
/// What is served of a program: a graph, and what its inputs and outputs are.
#pragma once

#include <cstdint>
#include <memory>
#include <skerry/skerry.hpp>
#include <string>
#include <vector>

namespace skerry::serve {

struct TensorInfo {
  std::string name;
  DType dtype = DType::f32;
  std::vector<std::int64_t> shape;  ///< -1: unknown extent
  bool has_rank = true;             ///< false: any shape will do
};

struct ServedGraph {
  std::string kind;  ///< `model`, or `circuit` that was wrapped into one
  std::shared_ptr<const Graph> graph;
  std::vector<TensorInfo> inputs, outputs;
};

/// A model as it is; a circuit as a model whose input `parameters` [batch, P] gives `z`, <Z> of every wire.
/// Errors: those of compiling and of inferring types; unsupported for inputs and outputs that are no tensors.
ServedGraph graph_to_serve(Program program);

/// Whether an input or output of it is a tensor of texts: such a model runs on data.
bool has_texts(const Graph& graph);
/// Tensors of texts, held as wire/texts.hpp says, as models know them; and back. Precondition of the latter: tensors
/// alone.
NamedData data_of(NamedTensors tensors);
NamedTensors tensors_of(NamedData data);

}  // namespace skerry::serve
