#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/variant.h>
#include <nanobind/stl/vector.h>

#include <optional>
#include <set>
#include <variant>

#include "arrays.hpp"
#include "bind.hpp"
#include "ir/verify.hpp"
#include "model.hpp"
#include "ops/nn/op_record.hpp"

namespace skerry::python {
namespace {

using Extent = std::variant<std::int64_t, std::string>;

class GraphBuilder;

// A value of one builder's graph.
struct GraphValue {
  const void* builder;  // compared, never followed
  ValueId id;
  std::string name;
};

template <class T>
std::vector<T> list_of(nb::handle list) {
  return nb::cast<std::vector<T>>(list);
}

Attribute attribute_from(const std::string& name, nb::handle value) {
  if (nb::isinstance<Circuit>(value)) return std::make_shared<const Circuit>(nb::cast<const Circuit&>(value));
  if (nb::isinstance<nb::str>(value)) return nb::cast<std::string>(value);
  if (nb::isinstance<nb::int_>(value)) return nb::cast<std::int64_t>(value);
  if (nb::isinstance<nb::float_>(value)) return nb::cast<double>(value);
  if (nb::ndarray_check(value)) return tensor_from_object(value);
  if (nb::isinstance<nb::sequence>(value)) {
    if (nb::len(value) == 0 || nb::isinstance<nb::int_>(value[0])) return list_of<std::int64_t>(value);
    if (nb::isinstance<nb::float_>(value[0])) return list_of<double>(value);
    if (nb::isinstance<nb::str>(value[0])) return list_of<std::string>(value);
  }
  throw Error(ErrorCode::type_mismatch, "attribute '" + name + "' has a Python type without a counterpart", "",
              "give a number, a string, a list of either, an array or a Circuit");
}

class GraphBuilder {
 public:
  explicit GraphBuilder(std::string name) { graph_.name = std::move(name); }

  GraphValue input(const std::string& name, const std::vector<Extent>& shape, const std::string& dtype) {
    std::vector<Dim> dims;
    for (const Extent& extent : shape) std::visit([&](const auto& given) { dims.emplace_back(given); }, extent);
    return value(graph_.add_input(named(name), {dtype_from_name(dtype), std::move(dims)}));
  }

  GraphValue constant(nb::handle array, const std::string& name) {
    try {
      return value(graph_.add_constant(named(name), tensor_from_object(array)));
    } catch (const Error& error) {
      throw error.at("constant '" + name + "'");
    }
  }

  GraphValue add(const std::string& op, const std::vector<std::optional<GraphValue>>& inputs, const std::string& name,
                 const nb::kwargs& attributes) {
    return add_many(op, inputs, {name}, attributes)[0];
  }

  std::vector<GraphValue> add_many(const std::string& op, const std::vector<std::optional<GraphValue>>& inputs,
                                   const std::vector<std::string>& outputs, const nb::kwargs& attributes) {
    Node node;
    node.op = op;
    for (const auto& input : inputs) node.inputs.push_back(input ? id_of(*input) : kNoValue);
    for (const auto& [key, attribute] : attributes) {
      const auto name = nb::cast<std::string>(key);
      node.set(name, attribute_from(name, attribute));
    }
    std::vector<std::string> names;
    for (const std::string& output : outputs) names.push_back(named(output));
    node.name = names.empty() ? op : names[0];
    const NodeId id = graph_.add_node(std::move(node), names);
    std::vector<GraphValue> values;
    for (const ValueId output : graph_.node(id).outputs) values.push_back(value(output));
    return values;
  }

  GraphValue circuit(const Circuit& circuit, const std::optional<GraphValue>& params,
                     std::vector<Observable> observables, const std::string& name) {
    return value(add_circuit(graph_, circuit, params ? id_of(*params) : kNoValue, std::move(observables), named(name)));
  }

  void output(const GraphValue& output, const std::string& name) {
    const ValueId id = id_of(output);
    if (!name.empty() && name != graph_.value(id).name) graph_.value(id).name = named(name);
    graph_.mark_output(id);
  }

  Model build() const {
    auto graph = std::make_shared<Graph>(graph_);
    ops::infer_types(*graph);
    ir::verify(*graph);
    return {std::move(graph)};
  }

 private:
  GraphValue value(ValueId id) const { return {this, id, graph_.value(id).name}; }

  ValueId id_of(const GraphValue& value) const {
    if (value.builder == this) return value.id;
    throw Error(ErrorCode::invalid_argument, "value '" + value.name + "' belongs to another builder");
  }

  // Names are unique, because results and inputs are found by them; an empty one is made up.
  std::string named(const std::string& wanted) {
    if (!wanted.empty()) {
      if (names_.insert(wanted).second) return wanted;
      throw Error(ErrorCode::invalid_argument, "there is a value '" + wanted + "' already");
    }
    std::string name;
    do {
      name = "v" + std::to_string(next_name_++);
    } while (!names_.insert(name).second);
    return name;
  }

  Graph graph_;
  std::set<std::string> names_;
  int next_name_ = 0;
};

constexpr const char* kAddSignature =
    "def add(self, op: str, inputs: collections.abc.Sequence[GraphValue | None], *, name: str = '', **attributes: "
    "typing.Any) -> GraphValue";
constexpr const char* kAddManySignature =
    "def add_many(self, op: str, inputs: collections.abc.Sequence[GraphValue | None], outputs: "
    "collections.abc.Sequence[str], **attributes: typing.Any) -> "
    "list[GraphValue]";

}  // namespace

void bind_graph_builder(nb::module_& m) {
  nb::class_<GraphValue>(m, "GraphValue", "A value of a graph that is being built.")
      .def_ro("name", &GraphValue::name)
      .def("__repr__", [](const GraphValue& self) { return "<GraphValue " + self.name + ">"; });
  nb::class_<GraphBuilder>(m, "GraphBuilder",
                           R"(Builds a model node by node: operators of ONNX, and circuits among them.

>>> import numpy, skerry
>>> theta = skerry.Parameter("theta")
>>> circuit = skerry.Circuit(1).rx(theta, 0)
>>> g = skerry.GraphBuilder("hybrid")
>>> angles = g.input("angles", ["N", 1])
>>> g.output(g.circuit(circuit, angles, [skerry.Observable.parse("Z0", 1)], name="z"))
>>> skerry.run(g.build(), inputs={"angles": numpy.float32([[0.0], [numpy.pi]])}).outputs["z"].round(3)
array([[ 1.],
       [-1.]], dtype=float32)
)")
      .def(nb::init<std::string>(), nb::arg("name") = "")
      .def("input", &GraphBuilder::input, nb::arg("name"), nb::arg("shape"), nb::arg("dtype") = "f32",
           "An input; an extent is a number or the name of an unknown.")
      .def("constant", &GraphBuilder::constant, nb::arg("array"), nb::arg("name") = "",
           nb::sig("def constant(self, array: numpy.typing.ArrayLike, name: str = '') -> GraphValue"),
           "Weights. A dense numpy array is used in place: do not change it afterwards.")
      .def("add", &GraphBuilder::add, nb::arg("op"), nb::arg("inputs"), nb::kw_only(), nb::arg("name") = "",
           nb::arg("attributes"), nb::sig(kAddSignature), "A node with one output. op: `MatMul`, `Relu`, ...")
      .def("add_many", &GraphBuilder::add_many, nb::arg("op"), nb::arg("inputs"), nb::arg("outputs"),
           nb::arg("attributes"), nb::sig(kAddManySignature), "A node with several outputs, by their names.")
      .def("circuit", &GraphBuilder::circuit, nb::arg("circuit"), nb::arg("params").none(), nb::arg("observables"),
           nb::arg("name") = "",
           "Each row of `params`, [P] or [batch, P], gives the expectations of the observables, [observables] or "
           "[batch, observables].")
      .def("output", &GraphBuilder::output, nb::arg("value"), nb::arg("name") = "", "Makes a value an output.")
      .def("build", &GraphBuilder::build, "The model so far, its types inferred and checked.");
}

}  // namespace skerry::python
