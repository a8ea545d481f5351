#include "ops/nn/evaluate.hpp"

#include <algorithm>
#include <exception>
#include <memory>
#include <new>
#include <skerry/error.hpp>
#include <string_view>
#include <utility>

#include "base/legacy_random.hpp"
#include "base/obey.hpp"
#include "ops/nn/data_node.hpp"
#include "ops/nn/flow.hpp"
#include "ops/nn/reference.hpp"

namespace skerry::ops {
namespace {

using Data = std::vector<Datum>;

// Operators that only move elements: what they do with numbers of places they do with texts.
constexpr std::string_view kMovers[] = {
    "Compress",  "Concat",          "Expand", "Gather", "GatherElements", "GatherND",  "Reshape", "ReverseSequence",
    "ScatterND", "ScatterElements", "Slice",  "Split",  "Tile",           "Transpose", "Where"};

// A graph of which ever more is known. A tensor of numbers is a constant of the graph from then on, since type rules
// look there; all else stands beside it.
struct Values {
  Graph graph;
  TypeFlow flow;
  Data others;                    ///< by ValueId
  std::vector<std::size_t> last;  ///< node of each value's last use

  explicit Values(const Graph& of) : graph(of), flow(graph), others(graph.values().size()) {
    last.assign(graph.values().size(), 0);
    for (NodeId id = 0; id < graph.nodes().size(); ++id) {
      for (const ValueId input : graph.node(id).inputs) {
        if (input != kNoValue) last[input] = id;
      }
    }
    for (const ValueId output : graph.outputs()) last[output] = graph.nodes().size();
  }

  // type: what it was inferred to be.
  void set(ValueId id, Datum datum, const TensorType& type) {
    Value& value = graph.value(id);
    if (!type.is_tensor() || datum.as<Optional>() != nullptr) datum = fitted(std::move(datum), type);
    value.type = type;
    if (auto* tensor = std::get_if<Tensor>(&datum.value)) {
      value.type = TensorType::of(tensor->dtype(), tensor->shape());
      flow.constant_known(id, *tensor);
      value.constant = std::move(*tensor);
      return;
    }
    if (const auto* strings = datum.as<Strings>()) value.type = TensorType::of(DType::string, strings->shape);
    others[id] = std::move(datum);
  }

  Datum get(ValueId id) const {
    if (id == kNoValue) return {};
    const auto& constant = graph.value(id).constant;
    return constant ? Datum(*constant) : others[id];
  }

  // Node `at` is done with it: it goes unless somebody else wants it.
  Datum take(ValueId id, NodeId at, const Node& node) {
    const bool mine = id != kNoValue && last[id] == at && std::ranges::count(node.inputs, id) == 1;
    return mine && !graph.value(id).constant ? std::exchange(others[id], Datum()) : get(id);
  }

  void drop_after(NodeId at) {
    for (const ValueId input : graph.node(at).inputs) {
      if (input == kNoValue || last[input] != at) continue;
      others[input] = Datum();
      if (graph.value(input).producer != kNoNode) graph.value(input).constant.reset();
    }
  }
};

std::vector<Tensor> run_kernel(const Graph& graph, const Node& node, const std::vector<TensorType>& types,
                               const Evaluation& evaluation) {
  NodeTypes concrete;
  for (const ValueId id : node.inputs) {
    const bool there = id != kNoValue;
    concrete.present.push_back(there);
    concrete.inputs.push_back(there ? graph.value(id).type : TensorType{});
    concrete.constants.push_back(there ? &*graph.value(id).constant : nullptr);
  }
  for (std::size_t i = 0; i < types.size(); ++i)
    concrete.outputs.push_back(node.outputs[i] == kNoValue ? TensorType{} : types[i]);
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
  throw Error(ErrorCode::unsupported, "no kernel computes " + node.op + " here" + reasons, node.place());
}

std::vector<Tensor> run_numbers(const Graph& graph, const Node& node, const std::vector<TensorType>& types,
                                const Evaluation& evaluation) {
  for (std::size_t i = 0; i < types.size(); ++i) {
    if (node.outputs[i] != kNoValue && !types[i].static_shape())
      throw Error(ErrorCode::unsupported, "the shape of a result is not known: " + types[i].text(), node.place());
  }
  if (find_op(node.op)->is_view) {
    const Tensor& source = *graph.value(node.inputs[0]).constant;
    return {Tensor(TensorView(source.dtype(), *types[0].static_shape(), source.view().data()), source.owner())};
  }
  return run_kernel(graph, node, types, evaluation);
}

// Each text stands as the number of its place among all of them.
Data run_texts(Node node, const Data& inputs, const std::vector<TensorType>& types, const Evaluation& evaluation) {
  if (find_op(node.op)->is_view) {
    const auto shape = types[0].static_shape();
    if (inputs.empty() || inputs[0].as<Strings>() == nullptr) refuse(node, node.op + " takes tensors alone");
    if (!shape) refuse(node, "the shape of a result is not known: " + types[0].text());
    return {Strings{*shape, inputs[0].as<Strings>()->texts}};
  }
  if (std::ranges::find(kMovers, node.op) == std::end(kMovers))
    throw Error(ErrorCode::unsupported, node.op + " of strings is not supported", node.place());
  std::vector<const std::string*> texts;
  Data numbers = inputs;
  for (Datum& datum : numbers) {
    const auto* strings = datum.as<Strings>();
    if (strings == nullptr) continue;
    Tensor places = allocate(DType::i64, strings->shape, evaluation);
    const auto all = texts_of(*strings);
    for (std::size_t i = 0; i < all.size(); ++i) {
      writable(places).as<std::int64_t>()[i] = static_cast<std::int64_t>(texts.size());
      texts.push_back(&all[i]);
    }
    datum = places;
  }
  Data out = run_operator(node, numbers, types.size(), evaluation);
  for (std::size_t i = 0; i < out.size(); ++i) {
    if (types[i].dtype != DType::string || node.outputs[i] == kNoValue) continue;
    const Tensor places = *out[i].as<Tensor>();
    std::vector<std::string> moved;
    for (const std::int64_t place : places.as<std::int64_t>())
      moved.push_back(*texts.at(static_cast<std::size_t>(place)));
    out[i] = strings_of(node, places.shape(), std::move(moved), evaluation);
  }
  return out;
}

Data run_node(Values& values, NodeId id, const std::vector<TensorType>& types, const Evaluation& evaluation) {
  const Node& node = values.graph.node(id);
  const OpRecord& record = *find_op(node.op);
  bool numbers = std::ranges::all_of(types, &TensorType::is_numbers);
  for (const ValueId input : node.inputs) numbers &= input == kNoValue || values.graph.value(input).type.is_numbers();
  if (auto known = from_type_alone(values.graph, node)) return {std::move(known->at(0))};
  if (numbers && (record.carry_out == nullptr || !record.kernels.empty())) {
    auto results = run_numbers(values.graph, node, types, evaluation);
    return {std::make_move_iterator(results.begin()), std::make_move_iterator(results.end())};
  }
  Data inputs;
  for (const ValueId input : node.inputs) inputs.push_back(values.take(input, id, node));
  if (record.carry_out != nullptr) {
    DataNode context{node, inputs, types, evaluation};
    return record.carry_out(context);
  }
  if (node.op == "Identity") return inputs;
  return run_texts(node, inputs, types, evaluation);
}

}  // namespace

void rethrow_at(const Node& node) {
  try {
    throw;
  } catch (const Error& error) {
    if (!error.where().empty()) throw;
    throw error.at(node.place());
  } catch (const std::bad_alloc&) {
    throw Error(ErrorCode::budget_exceeded, "the system refused memory to " + node.op, node.place());
  } catch (const std::exception& error) {
    throw Error(ErrorCode::internal, node.op + " failed: " + error.what(), node.place());
  }
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

Datum fitted(Datum datum, const TensorType& type) {
  const auto* optional = datum.as<Optional>();
  const bool wanted = !type.is_tensor() && type.wraps.front() == Wrap::optional;
  if (wanted == (optional != nullptr)) return datum;
  if (wanted) return Optional{std::make_shared<const Datum>(fitted(std::move(datum), type.unwrapped()))};
  if (optional->item == nullptr)
    throw Error(ErrorCode::type_mismatch, "an optional that holds nothing stands where " + type.text() + " is needed");
  return fitted(*optional->item, type);
}

bool depends_on_data(const Graph& graph) {
  const auto is_open = [&](ValueId id) {
    if (id == kNoValue) return false;
    const TensorType& type = graph.value(id).type;
    return !type.is_numbers() || !type.static_shape();
  };
  const auto is_data = [&](ValueId id) { return id != kNoValue && !graph.value(id).type.is_numbers(); };
  return std::ranges::any_of(graph.inputs(), is_data) || std::ranges::any_of(graph.nodes(), [&](const Node& node) {
           const OpRecord* record = find_op(node.op);
           const bool needs_data = record != nullptr && record->carry_out != nullptr && record->kernels.empty();
           return needs_data || is_control_flow(node) || std::ranges::any_of(node.outputs, is_open);
         });
}

std::vector<Datum> run_operator(Node node, std::span<const Datum> inputs, std::size_t outputs,
                                const Evaluation& evaluation) {
  Graph graph;
  node.inputs.clear();
  for (const Datum& datum : inputs) {
    const auto* tensor = datum.as<Tensor>();
    const auto* strings = datum.as<Strings>();
    if (strings != nullptr) {
      node.inputs.push_back(graph.add_input("", TensorType::of(DType::string, strings->shape)));
    } else if (tensor == nullptr) {
      refuse(node, node.op + " takes tensors alone");
    } else {
      node.inputs.push_back(tensor->view().empty() ? kNoValue : graph.add_constant("", *tensor));
    }
  }
  const std::vector<std::string> names(outputs, "y");
  node.outputs.clear();
  const NodeId id = graph.add_node(node, names);
  TypeFlow flow(graph);
  const auto types = flow.infer(graph, graph.node(id));
  if (std::ranges::any_of(inputs, [](const Datum& datum) { return datum.as<Strings>() != nullptr; }))
    return run_texts(graph.node(id), Data(inputs.begin(), inputs.end()), types, evaluation);
  auto results = run_numbers(graph, graph.node(id), types, evaluation);
  return {std::make_move_iterator(results.begin()), std::make_move_iterator(results.end())};
}

std::vector<Datum> evaluate(const Graph& graph, std::vector<Datum> inputs, const Evaluation& evaluation) {
  const base::RunDraws::Entered entered;
  const base::Obey obey(evaluation.control);
  Values values(graph);
  for (ValueId id = 0; id < values.graph.values().size(); ++id) {
    // Kernels read elements where they are aligned.
    if (auto& constant = values.graph.value(id).constant) values.set(id, aligned_copy(*constant), {});
  }
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const ValueId id = values.graph.inputs()[i];
    const TensorType type = values.graph.value(id).type;
    if (auto* tensor = std::get_if<Tensor>(&inputs[i].value)) *tensor = aligned_copy(*tensor);
    values.set(id, std::move(inputs[i]), type);
  }
  for (NodeId id = 0; id < values.graph.nodes().size(); ++id) {
    const Node& node = values.graph.node(id);
    if (evaluation.control != nullptr) evaluation.control->check(node.place());
    try {
      const std::vector<TensorType> types = values.flow.infer(values.graph, node);
      Data results;
      if (is_control_flow(node)) {
        Data given;
        for (const ValueId input : node.inputs) given.push_back(values.take(input, id, node));
        results = evaluate_control_flow(node, std::move(given), evaluation);
      } else {
        results = run_node(values, id, types, evaluation);
      }
      for (std::size_t i = 0; i < node.outputs.size() && i < results.size(); ++i) {
        if (node.outputs[i] != kNoValue) values.set(node.outputs[i], std::move(results[i]), types[i]);
      }
    } catch (...) {
      rethrow_at(node);
    }
    values.drop_after(id);
  }
  Data outputs;
  for (const ValueId id : values.graph.outputs()) outputs.push_back(values.get(id));
  return outputs;
}

}  // namespace skerry::ops
