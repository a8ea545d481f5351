#include <algorithm>
#include <skerry/error.hpp>
#include <stdexcept>

#include "ops/nn/flow.hpp"
#include "ops/nn/typing.hpp"

namespace skerry::ops {
namespace {

// Longer integer vectors are data, not shapes.
constexpr std::int64_t kMostShapeValues = 64;

std::optional<Dims> dims_of_constant(const Tensor& tensor) {
  const bool integer = tensor.dtype() == DType::i64 || tensor.dtype() == DType::i32;
  if (!integer || tensor.shape().rank() > 1 || tensor.shape().elements() > kMostShapeValues) return std::nullopt;
  Dims out;
  for (std::int64_t i = 0; i < tensor.shape().elements(); ++i) {
    const auto at = static_cast<std::size_t>(i);
    const std::int64_t value =
        tensor.dtype() == DType::i64 ? tensor.as<std::int64_t>()[at] : tensor.as<std::int32_t>()[at];
    out.push_back(value >= 0 ? Dim(value) : Dim());
  }
  return out;
}

// What a file declares about a value fills in what the rule could not know.
void keep_declared(TensorType& inferred, const TensorType& declared) {
  if (inferred.dtype != declared.dtype || inferred.wraps != declared.wraps || !declared.shape) return;
  if (!inferred.shape) {
    inferred.shape = declared.shape;
    return;
  }
  if (inferred.shape->size() != declared.shape->size()) return;
  for (std::size_t axis = 0; axis < inferred.shape->size(); ++axis) {
    Dim& dim = (*inferred.shape)[axis];
    const Dim& told = (*declared.shape)[axis];
    if (!dim.is_known() && (dim.symbol.empty() || told.is_known())) dim = told;
  }
}

}  // namespace

TypeFlow::TypeFlow(const Graph& graph) : dims_(graph.values().size()) {
  for (ValueId id = 0; id < graph.values().size(); ++id) {
    if (graph.value(id).constant) dims_[id] = dims_of_constant(*graph.value(id).constant);
  }
}

void TypeFlow::constant_known(ValueId id, const Tensor& tensor) {
  dims_[id] = dims_of_constant(tensor);
}

std::vector<TensorType> TypeFlow::infer(const Graph& graph, const Node& node) {
  const OpRecord* record = find_op(node.op);
  if (record == nullptr) {
    throw Error(ErrorCode::unsupported, "operator '" + node.op + "' is not known", node.place());
  }
  // Kernels write their first output without asking.
  if (node.outputs.empty() || (node.outputs[0] == kNoValue && !record->first_output_optional))
    refuse(node, node.op + " has no first output");
  for (std::size_t i = 0; i < record->inputs; ++i) {
    if (i >= node.inputs.size() || node.inputs[i] == kNoValue)
      refuse(node, node.op + " needs input " + std::to_string(i));
  }
  for (std::size_t i = 0; !record->takes_wrapped && i < node.inputs.size(); ++i) {
    if (node.inputs[i] != kNoValue && !graph.value(node.inputs[i]).type.is_tensor())
      refuse(node, node.op + " does not take " + graph.value(node.inputs[i]).type.text() + " as input " +
                       std::to_string(i) + " but a tensor");
  }
  std::vector<const TensorType*> inputs;
  std::vector<const Tensor*> constants;
  std::vector<const Dims*> dims;
  for (const ValueId id : node.inputs) {
    const bool there = id != kNoValue;
    inputs.push_back(there ? &graph.value(id).type : nullptr);
    constants.push_back(there && graph.value(id).constant ? &*graph.value(id).constant : nullptr);
    dims.push_back(there && dims_[id] ? &*dims_[id] : nullptr);
  }
  // A rule may ask for the value of an input that is left out at the end.
  constexpr std::size_t kMostAsked = 9;
  constants.resize(std::max(constants.size(), kMostAsked), nullptr);
  TypeContext context{node, inputs, constants, dims, {}, {}};
  context.outputs.resize(node.outputs.size());
  context.output_dims.resize(node.outputs.size());
  try {
    if (record->infer != nullptr) record->infer(context);
    for (const TensorType& type : context.outputs) (void)type.static_shape();  // throws where no tensor can be so large
  } catch (const Error& error) {
    if (!error.where().empty()) throw;
    throw error.at(node.place());
  } catch (const std::logic_error&) {  // a vector that is shorter than the rule was told
    refuse(node, "the inputs of " + node.op + " do not fit together");
  }
  for (std::size_t i = 0; i < node.outputs.size(); ++i) {
    if (node.outputs[i] != kNoValue) dims_[node.outputs[i]] = std::move(context.output_dims[i]);
  }
  return std::move(context.outputs);
}

void infer_types(Graph& graph) {
  TypeFlow flow(graph);
  for (NodeId id = 0; id < graph.nodes().size(); ++id) {
    infer_subgraphs(graph, id);
    const std::vector<TensorType> types = flow.infer(graph, graph.node(id));
    const std::vector<ValueId> outputs = graph.node(id).outputs;
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      if (outputs[i] == kNoValue) continue;
      TensorType type = types[i];
      keep_declared(type, graph.value(outputs[i]).type);
      graph.value(outputs[i]).type = std::move(type);
    }
  }
}

}  // namespace skerry::ops
