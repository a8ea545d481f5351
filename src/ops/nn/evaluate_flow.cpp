// If, Loop, Scan and SequenceMap on values that are there.
#include <cstring>
#include <limits>
#include <skerry/error.hpp>

#include "ops/nn/data_node.hpp"
#include "ops/nn/evaluate.hpp"
#include "ops/nn/reference.hpp"
#include "ops/nn/subgraph_types.hpp"

namespace skerry::ops {
namespace {

using Data = std::vector<Datum>;

// Inputs of a subgraph that come from outside it: the last ones of the node.
std::span<const Datum> captured(const Node& node, const Data& inputs) {
  return std::span(inputs).last(captures(node));
}

const Tensor& tensor_of(const Node& node, const Datum& datum) {
  const Tensor* tensor = datum.as<Tensor>();
  if (tensor == nullptr) refuse(node, node.op + " does this with tensors of numbers alone");
  return *tensor;
}

bool truth(const Node& node, const Datum& datum) {
  const Tensor& tensor = tensor_of(node, datum);
  return tensor.dtype() == DType::boolean && tensor.shape().elements() == 1 && tensor.as<bool>()[0];
}

const Graph& body_of(const Node& node, std::string_view attribute) {
  return *std::get<Subgraph>(*node.find(attribute));
}

// Slices of one output, put together along an axis.
Tensor stacked(const Data& slices, const TensorType& type, std::int64_t axis_attribute, bool backwards,
               const Node& node, const Evaluation& evaluation) {
  std::vector<std::int64_t> dims;
  if (!slices.empty()) {
    const auto first = tensor_of(node, slices[0]).shape().dims();
    dims.assign(first.begin(), first.end());
  } else if (type.shape) {
    for (const Dim& dim : *type.shape) dims.push_back(dim.is_known() ? dim.value : 0);
  }
  const std::size_t axis = normal_axis(node, axis_attribute, dims.size() + 1);
  dims.insert(dims.begin() + static_cast<std::ptrdiff_t>(axis), static_cast<std::int64_t>(slices.size()));
  const DType dtype = slices.empty() ? type.dtype : tensor_of(node, slices[0]).dtype();
  Tensor out = allocate(dtype, Shape(dims), evaluation);
  const AxisLoops loops(out.shape(), axis);
  const std::size_t run = static_cast<std::size_t>(loops.inner) * width_of(dtype);
  for (std::size_t k = 0; k < slices.size(); ++k) {
    const Tensor& slice = tensor_of(node, slices[backwards ? slices.size() - 1 - k : k]);
    if (slice.shape() != tensor_of(node, slices[0]).shape() || slice.dtype() != dtype)
      throw Error(ErrorCode::type_mismatch, "turns give results of different shapes", node.place());
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

void append(Data& to, std::span<const Datum> from) {
  to.insert(to.end(), from.begin(), from.end());
}

Data evaluate_loop(const Node& node, Data inputs, const Evaluation& evaluation) {
  const Graph& body = body_of(node, "body");
  const std::size_t states = loop_states(node), gathered = node.outputs.size() - states;
  std::int64_t most = std::numeric_limits<std::int64_t>::max();
  if (has_input(node, 0)) {
    const Longs given = longs(tensor_of(node, inputs[0]).view());
    if (given.size() != 1) refuse(node, "the number of turns is not one number");
    most = given[0];
  }
  bool goes_on = !has_input(node, 1) || truth(node, inputs[1]);
  Data state;
  for (std::size_t i = 0; i < states; ++i) state.push_back(std::move(inputs[2 + i]));
  std::vector<Data> slices(gathered);
  for (std::int64_t turn = 0; turn < most && goes_on; ++turn) {
    Data given;
    given.emplace_back(Tensor::from<std::int64_t>(std::span(&turn, 1), Shape{}));
    given.emplace_back(Tensor::from<bool>(std::span(&goes_on, 1), Shape{}));
    // A state belongs to the body alone: a sequence that it appends to is not copied.
    for (Datum& each : state) given.push_back(std::exchange(each, Datum()));
    append(given, captured(node, inputs));
    Data results = evaluate(body, std::move(given), evaluation);
    goes_on = truth(node, results[0]);
    for (std::size_t i = 0; i < states; ++i) state[i] = std::move(results[1 + i]);
    for (std::size_t i = 0; i < gathered; ++i) slices[i].push_back(std::move(results[1 + states + i]));
  }
  for (std::size_t i = 0; i < gathered; ++i)
    state.emplace_back(stacked(slices[i], output_type(body, 1 + states + i), 0, false, node, evaluation));
  return state;
}

Data evaluate_scan(const Node& node, const Data& inputs, const Evaluation& evaluation) {
  const Graph& body = body_of(node, "body");
  const std::size_t states = scan_states(node), scans = scanned_inputs(node), gathered = node.outputs.size() - states;
  const auto per = [&](std::string_view name, std::size_t count) {
    return node.integers(name, std::vector<std::int64_t>(count, 0));
  };
  const auto in_axes = per("scan_input_axes", scans), in_backwards = per("scan_input_directions", scans);
  const auto out_axes = per("scan_output_axes", gathered), out_backwards = per("scan_output_directions", gathered);
  Data state(inputs.begin(), inputs.begin() + static_cast<std::ptrdiff_t>(states));
  std::vector<Data> slices(gathered);
  std::vector<std::size_t> axes;
  std::int64_t turns = 0;
  for (std::size_t i = 0; i < scans; ++i) {
    const Shape shape = tensor_of(node, inputs[states + i]).shape();
    axes.push_back(normal_axis(node, in_axes.at(i), static_cast<std::size_t>(shape.rank())));
    const std::int64_t extent = shape[static_cast<int>(axes.back())];
    if (i > 0 && extent != turns)
      throw Error(ErrorCode::type_mismatch, "inputs of different extents are scanned together", node.place());
    turns = extent;
  }
  for (std::int64_t turn = 0; turn < turns; ++turn) {
    Data given = state;
    for (std::size_t i = 0; i < scans; ++i) {
      const std::int64_t at = in_backwards.at(i) != 0 ? turns - 1 - turn : turn;
      given.emplace_back(slice_of(tensor_of(node, inputs[states + i]), axes[i], at, evaluation));
    }
    append(given, captured(node, inputs));
    Data results = evaluate(body, std::move(given), evaluation);
    for (std::size_t i = 0; i < states; ++i) state[i] = std::move(results[i]);
    for (std::size_t i = 0; i < gathered; ++i) slices[i].push_back(std::move(results[states + i]));
  }
  for (std::size_t i = 0; i < gathered; ++i)
    state.emplace_back(
        stacked(slices[i], output_type(body, states + i), out_axes.at(i), out_backwards.at(i) != 0, node, evaluation));
  return state;
}

// The first input says how many turns there are; a further sequence gives one item to each, a tensor is given to all.
Data evaluate_map(const Node& node, const Data& inputs, const Evaluation& evaluation) {
  const Graph& body = body_of(node, "body");
  const std::size_t own = inputs.size() - captures(node);
  const auto* first = inputs.at(0).as<Sequence>();
  if (first == nullptr) refuse(node, "input 0 of SequenceMap is not a sequence");
  std::vector<Data> items(body.outputs().size());
  for (std::size_t turn = 0; turn < first->size(); ++turn) {
    Data given;
    for (std::size_t i = 0; i < own; ++i) {
      const auto* sequence = inputs[i].as<Sequence>();
      if (sequence != nullptr && sequence->size() != first->size())
        refuse(node, "sequences of " + std::to_string(first->size()) + " and of " + std::to_string(sequence->size()) +
                         " items are mapped together");
      given.push_back(sequence != nullptr ? (*sequence->items)[turn] : inputs[i]);
    }
    append(given, captured(node, inputs));
    Data results = evaluate(body, std::move(given), evaluation);
    for (std::size_t i = 0; i < results.size(); ++i) items[i].push_back(std::move(results[i]));
  }
  Data out;
  for (Data& each : items) out.emplace_back(sequence_of(node, std::move(each)));
  return out;
}

}  // namespace

bool is_control_flow(const Node& node) noexcept {
  return node.op == "If" || node.op == "Loop" || node.op == "Scan" || node.op == "SequenceMap";
}

std::vector<Datum> evaluate_control_flow(const Node& node, std::vector<Datum> inputs, const Evaluation& evaluation) {
  if (node.op == "Loop") return evaluate_loop(node, std::move(inputs), evaluation);
  if (node.op == "Scan") return evaluate_scan(node, inputs, evaluation);
  if (node.op == "SequenceMap") return evaluate_map(node, inputs, evaluation);
  const bool yes = truth(node, inputs.at(0));
  const auto outside = captured(node, inputs);
  return evaluate(body_of(node, yes ? "then_branch" : "else_branch"), Data(outside.begin(), outside.end()), evaluation);
}

}  // namespace skerry::ops
