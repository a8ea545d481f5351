/// \file
/// For tests: a graph of tensors carried out node by node.
#pragma once

#include <span>
#include <utility>
#include <variant>
#include <vector>

#include "ops/nn/evaluate.hpp"

namespace skerry::ops::testing {

/// Errors: as evaluate().
inline std::vector<Tensor> evaluate_tensors(const Graph& graph, std::span<const Tensor> inputs) {
  std::vector<Tensor> outputs;
  for (Datum& output : evaluate(graph, std::vector<Datum>(inputs.begin(), inputs.end()), {}))
    outputs.push_back(std::get<Tensor>(std::move(output.value)));
  return outputs;
}

}  // namespace skerry::ops::testing
