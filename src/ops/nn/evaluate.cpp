#include "ops/nn/evaluate.hpp"

#include <algorithm>
#include <cstring>
#include <limits>
#include <memory>
#include <skerry/error.hpp>

#include "ops/nn/flow.hpp"
#include "ops/nn/reference.hpp"
#include "ops/nn/subgraph_types.hpp"

namespace skerry::ops {
namespace {

bool is_control_flow(const Node& node) {
  return node.op == "If" || node.op == "Loop" || node.op == "Scan";
}

std::string place_of(const Node& node) {
  return node.name.empty() ? node.op : node.name;
}

Tensor allocate(DType dtype, const Shape& shape, const Evaluation& evaluation) {
  if (evaluation.budget == nullptr) return {dtype, shape};
  // shared: a tensor keeps its storage alive
  auto buffer = std::make_shared<base::Buffer>(
      base::Buffer::allocate(std::max<std::uint64_t>(tensor_bytes(dtype, shape), base::Buffer::kAlignment),
                             *evaluation.budget, "values of a graph whose shapes depend on data"));
  return {TensorView(dtype, shape, buffer->data()), buffer};
}

MutableTensorView writable(const Tensor& tensor) {
  return {tensor.dtype(), tensor.shape(), const_cast<std::byte*>(tensor.view().data())};
}

NodeTypes types_of(const Graph& graph, const Node& node, const std::vector<TensorType>& outputs) {
  NodeTypes types;
  for (const ValueId id : node.inputs) {
    const bool there = id != kNoValue;
    types.present.push_back(there);
    types.inputs.push_back(there ? graph.value(id).type : TensorType{});
    types.constants.push_back(there ? &*graph.value(id).constant : nullptr);
  }
  for (std::size_t i = 0; i < outputs.size(); ++i)
    types.outputs.push_back(node.outputs[i] == kNoValue ? TensorType{} : outputs[i]);
  return types;
}

std::vector<Tensor> run_kernel(const Graph& graph, const Node& node, const std::vector<TensorType>& types,
                               const Evaluation& evaluation) {
  const NodeTypes concrete = types_of(graph, node, types);
  std::string reasons;
  for (const KernelRow& row : find_op(node.op)->kernels) {
    const auto can = row.can(node, concrete);
    if (!can) {
      reasons += "; " + std::string(row.name) + ": " + can.error();
      continue;
    }
    const Prepared prepared = row.prepare(node, concrete);
    std::vector<TensorView> inputs;
    std::vector<Tensor> results;
    std::vector<MutableTensorView> outputs;
    for (const ValueId id : node.inputs)
      inputs.push_back(id == kNoValue ? TensorView() : graph.value(id).constant->view());
    for (std::size_t i = 0; i < types.size(); ++i) {
      const bool wanted = node.outputs[i] != kNoValue;
      results.push_back(wanted ? allocate(types[i].dtype, *types[i].static_shape(), evaluation) : Tensor());
      outputs.push_back(wanted ? writable(results.back()) : MutableTensorView());
    }
    const Tensor scratch = allocate(DType::u8, Shape{static_cast<std::int64_t>(prepared.scratch_bytes)}, evaluation);
    prepared.run({inputs, outputs, {writable(scratch).data(), static_cast<std::size_t>(prepared.scratch_bytes)}});
    return results;
  }
  throw Error(ErrorCode::unsupported, "no kernel computes " + node.op + " here" + reasons, place_of(node));
}

// Shape alone needs no kernel.
std::optional<Tensor> shape_alone(const Graph& graph, const Node& node) {
  if (node.op != "Shape") return std::nullopt;
  const Shape shape = graph.value(node.inputs[0]).constant->shape();
  const auto rank = static_cast<std::int64_t>(shape.rank());
  const auto clamp = [rank](std::int64_t at) { return std::clamp<std::int64_t>(at < 0 ? at + rank : at, 0, rank); };
  const std::int64_t begin = clamp(node.integer("start", 0));
  const std::int64_t end = std::max(begin, clamp(node.integer("end", rank)));
  const auto dims = shape.dims().subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(end - begin));
  return Tensor::from<std::int64_t>(dims, Shape{end - begin});
}

std::vector<Tensor> run_node(const Graph& graph, const Node& node, const std::vector<TensorType>& types,
                             const Evaluation& evaluation) {
  for (std::size_t i = 0; i < types.size(); ++i) {
    if (node.outputs[i] != kNoValue && !types[i].static_shape())
      throw Error(ErrorCode::unsupported, "the shape of a result is not known: " + types[i].text(), place_of(node));
  }
  if (auto shape = shape_alone(graph, node)) return {std::move(*shape)};
  if (find_op(node.op)->is_view) {
    const Tensor& source = *graph.value(node.inputs[0]).constant;
    return {Tensor(TensorView(source.dtype(), *types[0].static_shape(), source.view().data()), source.owner())};
  }
  return run_kernel(graph, node, types, evaluation);
}

std::vector<std::size_t> last_uses(const Graph& graph) {
  std::vector<std::size_t> last(graph.values().size(), 0);
  for (NodeId id = 0; id < graph.nodes().size(); ++id) {
    for (const ValueId input : graph.node(id).inputs) {
      if (input != kNoValue) last[input] = id;
    }
  }
  for (const ValueId output : graph.outputs()) last[output] = graph.nodes().size();
  return last;
}

void set_value(Graph& graph, TypeFlow& flow, ValueId id, Tensor tensor) {
  Value& value = graph.value(id);
  value.type = TensorType::of(tensor.dtype(), tensor.shape());
  flow.constant_known(id, tensor);
  value.constant = std::move(tensor);
}

// Inputs of a subgraph that come from outside it: the last ones of the node.
std::vector<Tensor> captured(const Graph& graph, const Node& node) {
  std::vector<Tensor> out;
  for (std::size_t i = node.inputs.size() - captures(node); i < node.inputs.size(); ++i)
    out.push_back(*graph.value(node.inputs[i]).constant);
  return out;
}

const Tensor* input_of(const Graph& graph, const Node& node, std::size_t index) {
  const bool there = index < node.inputs.size() && node.inputs[index] != kNoValue;
  return there ? &*graph.value(node.inputs[index]).constant : nullptr;
}

bool truth(const Tensor& tensor) {
  return tensor.dtype() == DType::boolean && tensor.shape().elements() == 1 && tensor.as<bool>()[0];
}

const Graph& body_of(const Node& node, std::string_view attribute) {
  return *std::get<Subgraph>(*node.find(attribute));
}

// Slices of one output, put together along an axis.
Tensor stacked(const std::vector<Tensor>& slices, const TensorType& type, std::int64_t axis_attribute, bool backwards,
               const Node& node, const Evaluation& evaluation) {
  std::vector<std::int64_t> dims;
  if (!slices.empty()) {
    const auto first = slices[0].shape().dims();
    dims.assign(first.begin(), first.end());
  } else if (type.shape) {
    for (const Dim& dim : *type.shape) dims.push_back(dim.is_known() ? dim.value : 0);
  }
  const std::size_t axis = normal_axis(node, axis_attribute, dims.size() + 1);
  dims.insert(dims.begin() + static_cast<std::ptrdiff_t>(axis), static_cast<std::int64_t>(slices.size()));
  const DType dtype = slices.empty() ? type.dtype : slices[0].dtype();
  Tensor out = allocate(dtype, Shape(dims), evaluation);
  const AxisLoops loops(out.shape(), axis);
  const std::size_t run = static_cast<std::size_t>(loops.inner) * width_of(dtype);
  for (std::size_t k = 0; k < slices.size(); ++k) {
    const Tensor& slice = slices[backwards ? slices.size() - 1 - k : k];
    if (slice.shape() != slices[0].shape() || slice.dtype() != dtype)
      throw Error(ErrorCode::type_mismatch, "turns give results of different shapes", place_of(node));
    for (std::int64_t o = 0; o < loops.outer; ++o) {
      const std::size_t to = (static_cast<std::size_t>(o) * slices.size() + k) * run;
      std::memcpy(writable(out).data() + to, slice.view().data() + static_cast<std::size_t>(o) * run, run);
    }
  }
  return out;
}

Tensor slice_of(const Tensor& tensor, std::size_t axis, std::int64_t at, const Evaluation& evaluation) {
  const auto all = tensor.shape().dims();
  std::vector<std::int64_t> dims(all.begin(), all.end());
  dims.erase(dims.begin() + static_cast<std::ptrdiff_t>(axis));
  Tensor out = allocate(tensor.dtype(), Shape(dims), evaluation);
  const AxisLoops loops(tensor.shape(), axis);
  const std::size_t run = static_cast<std::size_t>(loops.inner) * width_of(tensor.dtype());
  for (std::int64_t o = 0; o < loops.outer; ++o) {
    std::memcpy(writable(out).data() + static_cast<std::size_t>(o) * run,
                tensor.view().data() + static_cast<std::size_t>(o * loops.length + at) * run, run);
  }
  return out;
}

std::vector<Tensor> evaluate_loop(const Graph& graph, const Node& node, const Evaluation& evaluation) {
  const Graph& body = body_of(node, "body");
  const std::size_t states = loop_states(node), gathered = node.outputs.size() - states;
  const Tensor* limit = input_of(graph, node, 0);
  const Tensor* begin = input_of(graph, node, 1);
  const std::int64_t most = limit == nullptr ? std::numeric_limits<std::int64_t>::max() : longs(limit->view()).at(0);
  bool goes_on = begin == nullptr || truth(*begin);
  std::vector<Tensor> state;
  for (std::size_t i = 0; i < states; ++i) state.push_back(*input_of(graph, node, 2 + i));
  std::vector<std::vector<Tensor>> slices(gathered);
  const auto outside_values = captured(graph, node);
  for (std::int64_t turn = 0; turn < most && goes_on; ++turn) {
    std::vector<Tensor> inputs = {Tensor::from<std::int64_t>(std::span(&turn, 1), Shape{}),
                                  Tensor::from<bool>(std::span(&goes_on, 1), Shape{})};
    inputs.insert(inputs.end(), state.begin(), state.end());
    inputs.insert(inputs.end(), outside_values.begin(), outside_values.end());
    auto results = evaluate(body, inputs, evaluation);
    goes_on = truth(results[0]);
    for (std::size_t i = 0; i < states; ++i) state[i] = std::move(results[1 + i]);
    for (std::size_t i = 0; i < gathered; ++i) slices[i].push_back(std::move(results[1 + states + i]));
  }
  for (std::size_t i = 0; i < gathered; ++i)
    state.push_back(stacked(slices[i], output_type(body, 1 + states + i), 0, false, node, evaluation));
  return state;
}

std::vector<Tensor> evaluate_scan(const Graph& graph, const Node& node, const Evaluation& evaluation) {
  const Graph& body = body_of(node, "body");
  const std::size_t states = scan_states(node), scans = scanned_inputs(node), gathered = node.outputs.size() - states;
  const auto per = [&](std::string_view name, std::size_t count) {
    return node.integers(name, std::vector<std::int64_t>(count, 0));
  };
  const auto in_axes = per("scan_input_axes", scans), in_backwards = per("scan_input_directions", scans);
  const auto out_axes = per("scan_output_axes", gathered), out_backwards = per("scan_output_directions", gathered);
  std::vector<Tensor> state;
  for (std::size_t i = 0; i < states; ++i) state.push_back(*input_of(graph, node, i));
  std::vector<std::vector<Tensor>> slices(gathered);
  const auto outside_values = captured(graph, node);
  std::vector<std::size_t> axes;
  std::int64_t turns = 0;
  for (std::size_t i = 0; i < scans; ++i) {
    const Shape shape = input_of(graph, node, states + i)->shape();
    axes.push_back(normal_axis(node, in_axes.at(i), static_cast<std::size_t>(shape.rank())));
    const std::int64_t extent = shape[static_cast<int>(axes.back())];
    if (i > 0 && extent != turns)
      throw Error(ErrorCode::type_mismatch, "inputs of different extents are scanned together", place_of(node));
    turns = extent;
  }
  for (std::int64_t turn = 0; turn < turns; ++turn) {
    std::vector<Tensor> inputs = state;
    for (std::size_t i = 0; i < scans; ++i) {
      const std::int64_t at = in_backwards.at(i) != 0 ? turns - 1 - turn : turn;
      inputs.push_back(slice_of(*input_of(graph, node, states + i), axes[i], at, evaluation));
    }
    inputs.insert(inputs.end(), outside_values.begin(), outside_values.end());
    auto results = evaluate(body, inputs, evaluation);
    for (std::size_t i = 0; i < states; ++i) state[i] = std::move(results[i]);
    for (std::size_t i = 0; i < gathered; ++i) slices[i].push_back(std::move(results[states + i]));
  }
  for (std::size_t i = 0; i < gathered; ++i)
    state.push_back(
        stacked(slices[i], output_type(body, states + i), out_axes.at(i), out_backwards.at(i) != 0, node, evaluation));
  return state;
}

}  // namespace

bool depends_on_data(const Graph& graph) {
  const auto is_open = [&](ValueId id) { return id != kNoValue && !graph.value(id).type.static_shape(); };
  return std::ranges::any_of(graph.nodes(), [&](const Node& node) {
    return is_control_flow(node) || std::ranges::any_of(node.outputs, is_open);
  });
}

std::vector<Tensor> evaluate_control_flow(const Graph& graph, const Node& node, const Evaluation& evaluation) {
  if (node.op == "Loop") return evaluate_loop(graph, node, evaluation);
  if (node.op == "Scan") return evaluate_scan(graph, node, evaluation);
  const bool yes = truth(*input_of(graph, node, 0));
  return evaluate(body_of(node, yes ? "then_branch" : "else_branch"), captured(graph, node), evaluation);
}

std::vector<Tensor> evaluate(const Graph& graph, std::span<const Tensor> inputs, const Evaluation& evaluation) {
  Graph values = graph;
  TypeFlow flow(values);
  for (ValueId id = 0; id < values.values().size(); ++id) {
    // Kernels read elements where they are aligned.
    if (auto& constant = values.value(id).constant) set_value(values, flow, id, aligned_copy(*constant));
  }
  for (std::size_t i = 0; i < inputs.size(); ++i) set_value(values, flow, values.inputs()[i], aligned_copy(inputs[i]));
  const auto last = last_uses(values);
  for (NodeId id = 0; id < values.nodes().size(); ++id) {
    const Node& node = values.node(id);
    if (evaluation.control != nullptr) evaluation.control->check(place_of(node));
    std::vector<Tensor> results;
    try {
      results = is_control_flow(node) ? evaluate_control_flow(values, node, evaluation)
                                      : run_node(values, node, flow.infer(values, node), evaluation);
    } catch (const Error& error) {
      if (!error.where().empty()) throw;
      throw error.at(place_of(node));
    }
    for (std::size_t i = 0; i < node.outputs.size() && i < results.size(); ++i) {
      if (node.outputs[i] != kNoValue) set_value(values, flow, node.outputs[i], std::move(results[i]));
    }
    for (const ValueId input : node.inputs) {
      if (input != kNoValue && last[input] == id && values.value(input).producer != kNoNode)
        values.value(input).constant.reset();
    }
  }
  std::vector<Tensor> outputs;
  for (const ValueId id : values.outputs()) outputs.push_back(*values.value(id).constant);
  return outputs;
}

}  // namespace skerry::ops
