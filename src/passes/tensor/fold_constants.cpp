#include "ops/nn/op_record.hpp"
#include "passes/pass.hpp"

namespace skerry::passes {
namespace {

Graph fold_constants(const Graph& graph) {
  std::vector<TensorType> inputs;
  for (const ValueId id : graph.inputs()) inputs.push_back(graph.value(id).type);
  return ops::specialize(graph, inputs);
}

}  // namespace

extern const GraphPass fold_constants_pass;
const GraphPass fold_constants_pass = {
    .name = "fold_constants",
    .help = "Computes what depends on constants alone, once.",
    .run = fold_constants,
};

}  // namespace skerry::passes
