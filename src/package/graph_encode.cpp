#include <algorithm>
#include <skerry/error.hpp>
#include <string>
#include <unordered_set>

#include "package/circuit_codec.hpp"
#include "package/graph_codec.hpp"
#include "package/names.hpp"

namespace skerry::package {
namespace {

template <class... Visitors>
struct Overloaded : Visitors... {
  using Visitors::operator()...;
};
template <class... Visitors>
Overloaded(Visitors...) -> Overloaded<Visitors...>;  // clang 16 does not deduce it for aggregates

class GraphEncoder {
 public:
  GraphEncoder(ProgramBuilder& builder, WeightLayout& weights) : builder_(builder), weights_(weights) {}

  flatbuffers::Offset<fbs::Graph> graph(const Graph& graph) {
    if (++nesting_ > kMaxNesting) {
      throw Error(ErrorCode::limit_exceeded,
                  "graphs within graphs deeper than the " + std::to_string(kMaxNesting) + " a package can hold",
                  graph.name);
    }
    std::vector<flatbuffers::Offset<fbs::Value>> values;
    for (const Value& item : graph.values()) values.push_back(value(item));
    std::vector<flatbuffers::Offset<fbs::Node>> nodes;
    for (const Node& item : graph.nodes()) nodes.push_back(node(item));
    const auto name = builder_.text(graph.name);
    const auto value_list = builder_.tables(values);
    const auto node_list = builder_.tables(nodes);
    const auto inputs = builder_.list<ValueId>(graph.inputs());
    const auto outputs = builder_.list<ValueId>(graph.outputs());
    --nesting_;
    return fbs::CreateGraph(builder_.buffer(), name, value_list, node_list, inputs, outputs);
  }

 private:
  flatbuffers::Offset<fbs::Tensor> tensor(const Tensor& tensor) {
    const std::uint64_t offset = weights_.place(tensor);
    const auto dims = builder_.list(tensor.shape().dims());
    return fbs::CreateTensor(builder_.buffer(), dtype_number(tensor.dtype()), dims, offset, tensor.view().bytes());
  }

  flatbuffers::Offset<fbs::Value> value(const Value& value) {
    flatbuffers::Offset<fbs::Tensor> constant;
    if (value.constant) {
      if (value.type != TensorType::of(value.constant->dtype(), value.constant->shape())) {
        throw Error(ErrorCode::semantic_error,
                    "a constant " + TensorType::of(value.constant->dtype(), value.constant->shape()).text() +
                        " is declared as " + value.type.text(),
                    value.name);
      }
      constant = tensor(*value.constant);
    }
    std::vector<std::int64_t> extents;
    std::vector<std::string_view> symbols;
    bool has_symbols = false;
    const bool is_ranked = value.type.shape.has_value();
    if (is_ranked) {
      for (const Dim& dim : *value.type.shape) {
        extents.push_back(dim.value);
        symbols.push_back(dim.symbol);
        has_symbols |= !dim.symbol.empty();
      }
    }
    if (!has_symbols) symbols.clear();
    const auto name = builder_.text(value.name);
    const auto dims = builder_.list<std::int64_t>(extents);
    const auto symbol_list = builder_.texts(symbols);
    std::vector<std::uint8_t> wraps;
    for (const Wrap wrap : value.type.wraps) wraps.push_back(static_cast<std::uint8_t>(wrap));
    const auto wrap_list = builder_.list<std::uint8_t>(wraps);
    return fbs::CreateValue(builder_.buffer(), name, dtype_number(value.type.dtype), is_ranked, dims, symbol_list,
                            value.producer, constant, wrap_list);
  }

  flatbuffers::Offset<fbs::Observable> observable(const Observable& observable) {
    std::vector<double> coefficients;
    std::vector<std::uint64_t> x, z;
    for (const PauliTerm& term : observable.terms()) {
      coefficients.push_back(term.coefficient);
      x.insert(x.end(), term.x.begin(), term.x.end());
      z.insert(z.end(), term.z.begin(), term.z.end());
    }
    const auto coefficient_list = builder_.list<double>(coefficients);
    const auto x_list = builder_.list<std::uint64_t>(x);
    const auto z_list = builder_.list<std::uint64_t>(z);
    return fbs::CreateObservable(builder_.buffer(), observable.num_wires(), coefficient_list, x_list, z_list);
  }

  flatbuffers::Offset<fbs::Attribute> attribute(const std::string& attribute_name, const Attribute& value) {
    flatbuffers::Offset<flatbuffers::String> text;
    flatbuffers::Offset<flatbuffers::Vector<std::int64_t>> integers;
    flatbuffers::Offset<flatbuffers::Vector<double>> reals;
    flatbuffers::Offset<flatbuffers::Vector<flatbuffers::Offset<flatbuffers::String>>> texts;
    flatbuffers::Offset<fbs::Tensor> tensor_table;
    flatbuffers::Offset<fbs::Graph> graph_table;
    flatbuffers::Offset<fbs::Circuit> circuit_table;
    flatbuffers::Offset<flatbuffers::Vector<flatbuffers::Offset<fbs::Observable>>> observables;
    std::int64_t integer = 0;
    double real = 0.0;
    std::visit(Overloaded{
                   [&](std::int64_t v) { integer = v; },
                   [&](double v) { real = v; },
                   [&](const std::string& v) { text = builder_.text(v); },
                   [&](const std::vector<std::int64_t>& v) { integers = builder_.list<std::int64_t>(v); },
                   [&](const std::vector<double>& v) { reals = builder_.list<double>(v); },
                   [&](const std::vector<std::string>& v) { texts = builder_.texts(v); },
                   [&](const Tensor& v) { tensor_table = tensor(v); },
                   [&](const Subgraph& v) { graph_table = graph(present(v, attribute_name)); },
                   [&](const CircuitRef& v) { circuit_table = encode_circuit(present(v, attribute_name), builder_); },
                   [&](const std::vector<Observable>& v) {
                     std::vector<flatbuffers::Offset<fbs::Observable>> tables;
                     for (const Observable& item : v) tables.push_back(observable(item));
                     observables = builder_.tables(tables);
                   },
               },
               value);
    const auto name = builder_.text(attribute_name);
    // Kinds are numbered as the alternatives of Attribute; graph.fbs lists them.
    return fbs::CreateAttribute(builder_.buffer(), name, static_cast<std::uint8_t>(value.index()), integer, real, text,
                                integers, reals, texts, tensor_table, graph_table, circuit_table, observables);
  }

  template <class T>
  static const T& present(const std::shared_ptr<const T>& held, const std::string& attribute_name) {
    if (held == nullptr) throw Error(ErrorCode::semantic_error, "the attribute holds nothing", attribute_name);
    return *held;
  }

  flatbuffers::Offset<fbs::Node> node(const Node& node) {
    std::vector<flatbuffers::Offset<fbs::Attribute>> attributes;
    for (const auto& [name, value] : node.attributes) attributes.push_back(attribute(name, value));
    const auto op = builder_.text(node.op);
    const auto name = builder_.text(node.name);
    const auto inputs = builder_.list<ValueId>(node.inputs);
    const auto outputs = builder_.list<ValueId>(node.outputs);
    const auto attribute_list = builder_.tables(attributes);
    return fbs::CreateNode(builder_.buffer(), op, name, inputs, outputs, attribute_list);
  }

  ProgramBuilder& builder_;
  WeightLayout& weights_;
  int nesting_ = 0;
};

}  // namespace

namespace {

// Subgraphs may be shared, so each is looked at once. Depth: graphs nest as deep as verified ones may.
bool has_wraps(const Graph& graph, std::unordered_set<const Graph*>& seen) {
  if (!seen.insert(&graph).second) return false;
  if (std::ranges::any_of(graph.values(), [](const Value& value) { return !value.type.is_tensor(); })) return true;
  return std::ranges::any_of(graph.nodes(), [&](const Node& node) {
    return std::ranges::any_of(node.attributes, [&](const auto& attribute) {
      const auto* inner = std::get_if<Subgraph>(&attribute.second);
      return inner != nullptr && *inner != nullptr && has_wraps(**inner, seen);
    });
  });
}

}  // namespace

bool has_wraps(const Graph& graph) {
  std::unordered_set<const Graph*> seen;
  return has_wraps(graph, seen);
}

flatbuffers::Offset<fbs::Graph> encode_graph(const Graph& graph, ProgramBuilder& builder, WeightLayout& weights) {
  return GraphEncoder(builder, weights).graph(graph);
}

}  // namespace skerry::package
