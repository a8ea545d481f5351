#include <algorithm>
#include <skerry/error.hpp>

#include "base/weighing.hpp"
#include "ops/nn/flops.hpp"
#include "ops/nn/flow.hpp"
#include "ops/nn/kernel_rows.hpp"
#include "ops/nn/random.hpp"

namespace skerry::ops {
namespace {

// Folding may cost this much new memory per value; more only when the value is no larger than the constants it is made
// of. Dequantising weights would multiply them by four, so it stays in the graph.
constexpr std::uint64_t kFoldedBytes = std::uint64_t{64} << 10;
// And this many operations: what takes longer is planned, and keeps the limits of a run.
constexpr double kFoldedFlops = 1e8;

bool all_constant(const Graph& graph, const Node& node) {
  return std::ranges::all_of(node.inputs, [&](ValueId id) { return id == kNoValue || graph.value(id).constant; });
}

// Shapes are known, and elements are numbers: texts are no constants.
bool is_static(const std::vector<TensorType>& types, const Node& node) {
  for (std::size_t i = 0; i < types.size(); ++i) {
    if (node.outputs[i] != kNoValue && (!types[i].static_shape() || types[i].dtype == DType::string)) return false;
  }
  return true;
}

bool small_enough(const Graph& graph, const Node& node, const std::vector<TensorType>& types) {
  std::uint64_t made = 0;
  std::uint64_t from = 0;
  for (const TensorType& type : types) made += bytes(type);
  for (const ValueId id : node.inputs) from += id == kNoValue ? 0 : graph.value(id).constant->view().bytes();
  return made <= std::max(kFoldedBytes, from);
}

NodeTypes node_types(const Graph& graph, const Node& node, const std::vector<TensorType>& outputs) {
  NodeTypes types;
  for (const ValueId id : node.inputs) {
    types.present.push_back(id != kNoValue);
    types.inputs.push_back(id == kNoValue ? TensorType{} : graph.value(id).type);
    types.constants.push_back(id != kNoValue && graph.value(id).constant ? &*graph.value(id).constant : nullptr);
  }
  for (std::size_t i = 0; i < outputs.size(); ++i)
    types.outputs.push_back(node.outputs[i] == kNoValue ? TensorType{} : outputs[i]);
  return types;
}

// Nothing but elements that no decision is made by.
bool are_large_reals(const Node& node, const std::vector<TensorType>& types) {
  for (std::size_t i = 0; i < types.size(); ++i) {
    if (node.outputs[i] == kNoValue) continue;
    const bool is_real = types[i].dtype == DType::f32 || types[i].dtype == DType::f64 || types[i].dtype == DType::f16;
    if (!is_real || bytes(types[i]) < base::kWeighedBytes) return false;
  }
  return true;
}

std::vector<Tensor> unwritten(const Node& node, const std::vector<TensorType>& types) {
  const base::Weighing weighing;
  std::vector<Tensor> out;
  for (std::size_t i = 0; i < types.size(); ++i)
    out.push_back(node.outputs[i] == kNoValue ? Tensor() : Tensor(types[i].dtype, *types[i].static_shape()));
  return out;
}

// A view of constants is the same storage under another shape.
std::optional<std::vector<Tensor>> as_view(const Graph& graph, const Node& node, const std::vector<TensorType>& types) {
  if (!find_op(node.op)->is_view) return std::nullopt;
  const Tensor& source = *graph.value(node.inputs[0]).constant;
  return std::vector{
      Tensor(TensorView(source.dtype(), *types[0].static_shape(), source.view().data()), source.owner())};
}

std::optional<std::vector<Tensor>> fold(const Graph& graph, const Node& node, const std::vector<TensorType>& types) {
  if (auto folded = from_type_alone(graph, node)) return folded;
  if (std::ranges::all_of(node.outputs, [](ValueId id) { return id == kNoValue; })) return std::nullopt;
  if (draws_at_random(graph, node) || !all_constant(graph, node) || !is_static(types, node)) return std::nullopt;
  if (auto folded = as_view(graph, node, types)) return folded;
  if (!small_enough(graph, node, types) || flops(graph, node) > kFoldedFlops) return std::nullopt;
  return run_on_constants(graph, node, types);
}

// Removes what nobody uses: nodes from the last to the first, so that whole chains go in one pass.
void remove_dead(Graph& graph, std::vector<std::uint8_t> dead) {
  auto counts = graph.use_counts();
  for (std::size_t i = graph.nodes().size(); i-- > 0;) {
    const Node& node = graph.node(static_cast<NodeId>(i));
    const bool used = std::ranges::any_of(node.outputs, [&](ValueId id) { return id != kNoValue && counts[id] > 0; });
    if (used && dead[i] == 0) continue;
    dead[i] = 1;
    for (const ValueId id : node.inputs) {
      if (id != kNoValue) --counts[id];
    }
  }
  graph.compact(dead);
}

}  // namespace

std::optional<std::vector<Tensor>> from_type_alone(const Graph& graph, const Node& node) {
  if ((node.op != "Shape" && node.op != "Size") || node.inputs.empty() || node.inputs[0] == kNoValue)
    return std::nullopt;
  const auto shape = graph.value(node.inputs[0]).type.static_shape();
  if (!shape) return std::nullopt;
  if (node.op == "Size") {
    const std::int64_t count = shape->elements();
    return std::vector{Tensor::from<std::int64_t>(std::span(&count, 1), Shape{})};
  }
  const auto rank = static_cast<std::int64_t>(shape->rank());
  const auto clamp = [rank](std::int64_t at) { return std::clamp<std::int64_t>(at < 0 ? at + rank : at, 0, rank); };
  const std::int64_t begin = clamp(node.integer("start", 0));
  const std::int64_t end = std::max(begin, clamp(node.integer("end", rank)));
  const auto dims = shape->dims().subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(end - begin));
  return std::vector{Tensor::from<std::int64_t>(dims, Shape{end - begin})};
}

std::optional<std::vector<Tensor>> run_on_constants(const Graph& graph, const Node& node,
                                                    const std::vector<TensorType>& types) {
  const bool only_weighed = base::is_weighing && are_large_reals(node, types);
  const base::Weighing in_truth(false);  // what is small, or shapes, decides what is planned
  NodeTypes concrete = node_types(graph, node, types);
  std::vector<Tensor> constants(node.inputs.size());
  for (std::size_t i = 0; i < constants.size(); ++i) {
    if (node.inputs[i] == kNoValue) continue;
    constants[i] =
        only_weighed ? *graph.value(node.inputs[i]).constant : aligned_copy(*graph.value(node.inputs[i]).constant);
    concrete.constants[i] = &constants[i];
  }
  for (const KernelRow& row : find_op(node.op)->kernels) {
    if (!row.can(node, concrete)) continue;
    if (only_weighed) return unwritten(node, types);
    const Prepared prepared = row.prepare(node, concrete);
    std::vector<TensorView> inputs;
    std::vector<Tensor> results;
    std::vector<MutableTensorView> outputs;
    for (const Tensor& constant : constants) inputs.push_back(constant.view());
    for (std::size_t i = 0; i < types.size(); ++i) {
      const bool wanted = node.outputs[i] != kNoValue;
      results.push_back(wanted ? Tensor(types[i].dtype, *types[i].static_shape()) : Tensor());
      outputs.push_back(wanted ? results.back().mutable_view() : MutableTensorView());
    }
    Tensor scratch(DType::u8, Shape{static_cast<std::int64_t>(prepared.scratch_bytes)});
    const std::span<std::byte> space(scratch.mutable_view().data(), prepared.scratch_bytes);
    prepared.run({inputs, outputs, space});
    return results;
  }
  return std::nullopt;
}

Graph specialize(const Graph& graph, std::span<const TensorType> inputs) {
  if (inputs.size() != graph.inputs().size()) {
    throw Error(ErrorCode::invalid_argument, "the graph takes " + std::to_string(graph.inputs().size()) +
                                                 " inputs but " + std::to_string(inputs.size()) + " types were given");
  }
  Graph out = graph;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    out.value(out.inputs()[i]).type = inputs[i];
  }
  // Whoever made the graph, a constant is what its elements are.
  for (ValueId id = 0; id < out.values().size(); ++id) {
    if (const auto& constant = out.value(id).constant)
      out.value(id).type = TensorType::of(constant->dtype(), constant->shape());
  }
  TypeFlow flow(out);
  std::vector<std::uint8_t> dead(out.nodes().size(), 0);
  for (NodeId id = 0; id < out.nodes().size(); ++id) {
    infer_subgraphs(out, id);
    const std::vector<TensorType> types = flow.infer(out, out.node(id));
    const std::vector<ValueId> outputs = out.node(id).outputs;
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      if (outputs[i] != kNoValue) out.value(outputs[i]).type = types[i];
    }
    const auto folded = fold(out, out.node(id), types);
    if (!folded) continue;
    dead[id] = 1;
    for (std::size_t i = 0; i < outputs.size() && i < folded->size(); ++i) {
      if (outputs[i] == kNoValue) continue;
      Value& value = out.value(outputs[i]);
      value.constant = (*folded)[i];
      value.producer = kNoNode;
      flow.constant_known(outputs[i], *value.constant);
    }
  }
  remove_dead(out, std::move(dead));
  return out;
}

}  // namespace skerry::ops
