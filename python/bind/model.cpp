#include "model.hpp"

#include <nanobind/stl/map.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/string_view.h>
#include <nanobind/stl/variant.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <map>
#include <skerry/compile.hpp>
#include <skerry/error.hpp>
#include <span>
#include <variant>

#include "ir/text/text.hpp"
#include "package/package.hpp"
#include "session.hpp"

namespace skerry::python {

nb::object program_object(Program program) {
  if (auto* circuit = std::get_if<Circuit>(&program)) return nb::cast(std::move(*circuit));
  return nb::cast(Model{std::make_shared<const Graph>(std::get<Graph>(std::move(program)))});
}

Program program_of(nb::handle object) {
  if (nb::isinstance<Circuit>(object)) return nb::cast<const Circuit&>(object);
  if (nb::isinstance<Model>(object)) return *nb::cast<const Model&>(object).graph;
  throw nb::type_error("a Circuit or a Model is needed");
}

namespace {

constexpr std::size_t kShownElements = 16;

// One input or output.
struct TensorInfo {
  std::string name, dtype;
  std::optional<std::vector<std::variant<std::int64_t, std::string>>> shape;
  std::string text;
};

TensorInfo info_of(const Value& value) {
  TensorInfo info{value.name, std::string(dtype_name(value.type.dtype)), std::nullopt, value.type.text()};
  if (!value.type.shape) return info;
  info.shape.emplace();
  for (const Dim& dim : *value.type.shape) {
    if (dim.is_known()) {
      info.shape->emplace_back(dim.value);
    } else {
      info.shape->emplace_back(dim.symbol.empty() ? "?" : dim.symbol);
    }
  }
  return info;
}

std::vector<TensorInfo> infos(const Graph& graph, const std::vector<ValueId>& ids) {
  std::vector<TensorInfo> list;
  for (const ValueId id : ids) list.push_back(info_of(graph.value(id)));
  return list;
}

std::map<std::string, std::uint64_t> op_counts(const Model& model) {
  std::map<std::string, std::uint64_t> counts;
  for (const Node& node : model.graph->nodes()) ++counts[node.op];
  return counts;
}

std::uint64_t weight_bytes(const Model& model) {
  std::uint64_t bytes = 0;
  for (const Value& value : model.graph->values()) bytes += value.constant ? value.constant->view().bytes() : 0;
  return bytes;
}

std::string summary(const Model& model) {
  std::string text = "<Model";
  if (!model.graph->name.empty()) text += " '" + model.graph->name + "'";
  const char* separator = ": ";
  for (const TensorInfo& info : infos(*model.graph, model.graph->inputs())) {
    text += separator + info.name + " " + info.text;
    separator = ", ";
  }
  separator = " -> ";
  for (const TensorInfo& info : infos(*model.graph, model.graph->outputs())) {
    text += separator + info.name + " " + info.text;
    separator = ", ";
  }
  return text + ">";
}

Model gradients(const Model& model, const std::vector<std::string>& by,
                const std::map<std::string, std::vector<std::int64_t>>& shapes) {
  std::vector<TensorType> types;
  for (const ValueId id : model.graph->inputs()) {
    const Value& value = model.graph->value(id);
    const auto given = shapes.find(value.name);
    types.push_back(given == shapes.end() ? value.type
                                          : TensorType::of(value.type.dtype, Shape(std::span(given->second))));
  }
  for (const auto& [name, dims] : shapes)
    if (std::ranges::none_of(model.graph->inputs(), [&](ValueId id) { return model.graph->value(id).name == name; }))
      throw Error(ErrorCode::not_found, "no input is called '" + name + "'", "differentiation",
                  "give shapes of inputs of the model");
  return Model{std::make_shared<const Graph>(differentiate(*model.graph, types, by))};
}

nb::bytes packed(const Model& model) {
  const std::vector<std::byte> bytes = package::encode({.program = *model.graph, .metadata = {}, .plans = {}});
  return nb::bytes(bytes.data(), bytes.size());
}

void unpack(Model& self, const nb::bytes& bytes) {
  auto program = loads({bytes.c_str(), bytes.size()}, {}, "<pickle>");
  if (!std::holds_alternative<Graph>(program)) throw nb::type_error("the pickle holds a circuit");
  new (&self) Model{std::make_shared<const Graph>(std::get<Graph>(std::move(program)))};
}

}  // namespace

void bind_model(nb::module_& m) {
  nb::class_<TensorInfo>(m, "TensorInfo", "Name and type of an input or output.")
      .def_ro("name", &TensorInfo::name)
      .def_ro("dtype", &TensorInfo::dtype, "`f32`, `i64`, ...")
      .def_ro("shape", &TensorInfo::shape, "An int, or the name of an unknown extent, per axis; None: rank unknown.")
      .def("__repr__", [](const TensorInfo& self) { return "<" + self.name + " " + self.text + ">"; });
  nb::class_<Model>(m, "Model", "A function from tensors to tensors: a neural network or a hybrid. Immutable.")
      .def_prop_ro("name", [](const Model& self) { return self.graph->name; })
      .def_prop_ro("inputs", [](const Model& self) { return infos(*self.graph, self.graph->inputs()); })
      .def_prop_ro("outputs", [](const Model& self) { return infos(*self.graph, self.graph->outputs()); })
      .def_prop_ro("op_counts", op_counts, "How many nodes there are of each operator.")
      .def_prop_ro("weight_bytes", weight_bytes)
      .def(
          "text",
          [](const Model& self, std::optional<std::size_t> max_elements) {
            return ir::print(*self.graph, max_elements.value_or(static_cast<std::size_t>(-1)));
          },
          nb::arg("max_elements") = nb::none(),
          "Skerry's own text form. Tensors of more than max_elements elements are shown as a hash; such text cannot "
          "be read back.")
      .def("differentiate", gradients, nb::arg("by"),
           nb::arg("shapes") = std::map<std::string, std::vector<std::int64_t>>(),
           R"(The model with its gradients: for each output NAME a cotangent `grad:NAME` as further input, for each
input of `by` the gradient `grad:INPUT` of the sum of <cotangent, output> as further output. shapes: of inputs whose
extents are not numbers yet. Raises Unsupported for an operator without a derivative.

>>> import numpy, skerry
>>> g = skerry.GraphBuilder()
>>> x = g.input("x", ["N"])
>>> g.output(g.add("Tanh", [x], name="y"))
>>> both = g.build().differentiate(["x"], {"x": [2]})
>>> values = {"x": numpy.float32([0, 1]), "grad:y": numpy.float32([1, 1])}
>>> skerry.run(both, inputs=values).outputs["grad:x"].round(3)
array([1.  , 0.42], dtype=float32)
)")
      .def("session", make_session, nb::kw_only(), nb::arg("threads") = 0, nb::arg("precision") = "fp32",
           nb::arg("max_memory_mb") = nb::none(), nb::arg("max_execution_time") = nb::none(), nb::arg("seed") = 0,
           nb::sig("def session(self, *, threads: int = 0, precision: str = 'fp32', max_memory_mb: float | None = "
                   "None, max_execution_time: float | None = None, seed: int = 0) -> Session"),
           "Makes the model ready to run many times within these limits. seed: of the numbers that each run draws at "
           "random where an operator names no seed itself.")
      .def("__str__", [](const Model& self) { return ir::print(*self.graph, kShownElements); })
      .def("__repr__", summary)
      .def("__getstate__", packed)
      .def("__setstate__", unpack);
}

}  // namespace skerry::python
