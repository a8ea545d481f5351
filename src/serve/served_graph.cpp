#include "serve/served_graph.hpp"

#include <algorithm>
#include <array>

#include "ops/nn/op_record.hpp"
#include "wire/texts.hpp"

namespace skerry::serve {
namespace {

std::vector<TensorInfo> tensor_infos(const Graph& graph, const std::vector<ValueId>& ids) {
  std::vector<TensorInfo> infos;
  for (const ValueId id : ids) {
    const Value& value = graph.value(id);
    TensorInfo& info = infos.emplace_back(TensorInfo{.name = value.name, .dtype = value.type.dtype});
    if (!value.type.shape) {
      info.shape = {-1};
      info.has_rank = false;
      continue;
    }
    for (const Dim& dim : *value.type.shape) info.shape.push_back(dim.is_known() ? dim.value : -1);
  }
  return infos;
}

// A circuit as a model: each row of `parameters` gives <Z> of every wire.
Graph wrapped(const Circuit& circuit) {
  Graph graph;
  graph.name = circuit.name;
  std::vector<Observable> observables;
  for (std::uint32_t wire = 0; wire < circuit.num_wires(); ++wire) {
    Observable& z = observables.emplace_back(circuit.num_wires());
    const std::array<std::uint32_t, 1> wires = {wire};
    z.add("Z", wires, 1.0);
  }
  ValueId parameters = kNoValue;
  if (!circuit.parameters().empty()) {
    const auto count = static_cast<std::int64_t>(circuit.parameters().size());
    parameters = graph.add_input("parameters", {DType::f64, std::vector<Dim>{Dim("batch"), Dim(count)}});
  }
  graph.mark_output(add_circuit(graph, circuit, parameters, std::move(observables), "z"));
  return std::get<Graph>(compile(graph, {.level = Level::low}).program);
}

// The protocol has no words for others.
void check_tensors(const Graph& graph) {
  for (const auto* ids : {&graph.inputs(), &graph.outputs()}) {
    for (const ValueId id : *ids) {
      const TensorType& type = graph.value(id).type;
      if (type.is_tensor()) continue;
      throw Error(ErrorCode::unsupported, type.text() + " is no tensor, and only tensors can be asked for",
                  "'" + graph.value(id).name + "'",
                  "run the model with skerry::Session or in Python, or export it without (zipmap=False)");
    }
  }
}

}  // namespace

ServedGraph graph_to_serve(Program program) {
  ServedGraph served;
  const auto* circuit = std::get_if<Circuit>(&program);
  served.kind = circuit != nullptr ? "circuit" : "model";
  Graph graph = circuit != nullptr ? wrapped(*circuit) : std::get<Graph>(std::move(program));
  if (std::any_of(graph.outputs().begin(), graph.outputs().end(),
                  [&](ValueId id) { return !graph.value(id).type.shape; }))
    ops::infer_types(graph);  // what was built and not imported says nothing of its outputs yet
  check_tensors(graph);
  served.graph = std::make_shared<const Graph>(std::move(graph));
  served.inputs = tensor_infos(*served.graph, served.graph->inputs());
  served.outputs = tensor_infos(*served.graph, served.graph->outputs());
  return served;
}

bool has_texts(const Graph& graph) {
  const auto is_text = [&](ValueId id) { return graph.value(id).type.dtype == DType::string; };
  return std::ranges::any_of(graph.inputs(), is_text) || std::ranges::any_of(graph.outputs(), is_text);
}

NamedData data_of(NamedTensors tensors) {
  NamedData data;
  for (auto& [name, tensor] : tensors) {
    const bool is_text = tensor.dtype() == DType::string;
    data.emplace_back(std::move(name), is_text ? Datum(wire::strings_of(tensor)) : Datum(std::move(tensor)));
  }
  return data;
}

NamedTensors tensors_of(NamedData data) {
  NamedTensors tensors;
  for (auto& [name, datum] : data) {
    const auto* strings = datum.as<Strings>();
    tensors.emplace_back(std::move(name),
                         strings != nullptr ? wire::tensor_of(*strings) : std::get<Tensor>(std::move(datum.value)));
  }
  return tensors;
}

}  // namespace skerry::serve
