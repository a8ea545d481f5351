#include <bit>
#include <memory>
#include <skerry/error.hpp>
#include <string>
#include <utility>

#include "package/circuit_codec.hpp"
#include "package/graph_codec.hpp"
#include "package/names.hpp"

namespace skerry::package {
namespace {

[[noreturn]] void damaged_graph(std::string message) {
  throw Error(ErrorCode::corrupt, std::move(message));
}

template <class T>
const T& present(const T* field, const char* what) {
  if (field == nullptr) damaged_graph(std::string(what) + " is missing");
  return *field;
}

DType known_dtype(std::uint8_t number) {
  const std::optional<DType> dtype = dtype_from_number(number);
  if (dtype) return *dtype;
  throw Error(ErrorCode::version_too_new, "there is no dtype of number " + std::to_string(number) + " in this program",
              {}, "update this program");
}

class GraphDecoder {
 public:
  GraphDecoder(Fields& fields, const Weights& weights) : fields_(fields), weights_(weights) {}

  Graph graph(const fbs::Graph& table) {
    if (++nesting_ > kMaxNesting) {
      throw Error(ErrorCode::limit_exceeded, "graphs within graphs deeper than " + std::to_string(kMaxNesting));
    }
    std::vector<Value> values;
    const std::uint32_t num_values = fields_.count(table.values());
    values.reserve(num_values);
    for (std::uint32_t i = 0; i < num_values; ++i) values.push_back(value(*table.values()->Get(i)));
    std::vector<Node> nodes;
    const std::uint32_t num_nodes = fields_.count(table.nodes());
    nodes.reserve(num_nodes);
    for (std::uint32_t i = 0; i < num_nodes; ++i) nodes.push_back(node(*table.nodes()->Get(i)));
    for (const Value& item : values) check(item.producer, nodes.size(), kNoNode, "node");
    for (const Node& item : nodes) {
      check_all(item.inputs, values.size());
      check_all(item.outputs, values.size());
    }
    auto inputs = fields_.copy(table.inputs());
    auto outputs = fields_.copy(table.outputs());
    check_all(inputs, values.size());
    check_all(outputs, values.size());
    --nesting_;
    Graph graph = Graph::from_parts(std::move(values), std::move(nodes), std::move(inputs), std::move(outputs));
    graph.name = fields_.text(table.name());
    return graph;
  }

 private:
  static void check(std::uint32_t id, std::size_t count, std::uint32_t none, const char* what) {
    if (id == none || id < count) return;
    damaged_graph(std::string(what) + " " + std::to_string(id) + " of " + std::to_string(count));
  }
  static void check_all(const std::vector<ValueId>& ids, std::size_t count) {
    for (const ValueId id : ids) check(id, count, kNoValue, "value");
  }

  Tensor tensor(const fbs::Tensor& table) {
    const Shape shape(fields_.list(table.dims()));
    return weights_.tensor(known_dtype(table.dtype()), shape, table.offset(), table.bytes());
  }

  std::vector<Dim> dims(const fbs::Value& table) {
    const auto extents = fields_.list(table.dims());
    const auto symbols = fields_.texts(table.symbols());
    if (!symbols.empty() && symbols.size() != extents.size()) damaged_graph("a shape's extents and symbols differ");
    std::vector<Dim> dims(extents.size());
    for (std::size_t i = 0; i < dims.size(); ++i) {
      if (extents[i] < -1) damaged_graph("an extent of " + std::to_string(extents[i]));
      dims[i].value = extents[i];
      if (!symbols.empty()) dims[i].symbol = symbols[i];
    }
    return dims;
  }

  std::vector<Wrap> wraps(const fbs::Value& table) {
    const auto numbers = fields_.list(table.wraps());
    if (numbers.size() > kMaxWraps) damaged(std::to_string(numbers.size()) + " types inside each other");
    std::vector<Wrap> wraps;
    for (const std::uint8_t number : numbers) {
      if (number > static_cast<std::uint8_t>(Wrap::map_of_string))
        throw Error(ErrorCode::version_too_new,
                    "there are no types of kind " + std::to_string(number) + " in this program", {},
                    "update this program");
      wraps.push_back(static_cast<Wrap>(number));
    }
    return wraps;
  }

  Value value(const fbs::Value& table) {
    Value value;
    value.name = fields_.text(table.name());
    value.type.dtype = known_dtype(table.dtype());
    if (table.ranked()) value.type.shape = dims(table);
    value.type.wraps = wraps(table);
    value.producer = table.producer();
    if (table.constant() != nullptr) {
      value.constant = tensor(*table.constant());
      const TensorType type = TensorType::of(value.constant->dtype(), value.constant->shape());
      if (value.type != type) damaged_graph("a constant " + type.text() + " is declared as " + value.type.text());
    }
    return value;
  }

  Observable observable(const fbs::Observable& table) {
    const std::uint32_t wires = table.num_wires();
    if (wires > kMaxWires) {
      throw Error(ErrorCode::limit_exceeded, "an observable on " + std::to_string(wires) + " wires");
    }
    const std::size_t words = (std::size_t{wires} + 63) / 64;
    const auto coefficients = fields_.list(table.coefficients());
    const auto x = fields_.list(table.x());
    const auto z = fields_.list(table.z());
    if (x.size() != coefficients.size() * words || z.size() != x.size())
      damaged_graph("an observable's masks have gaps");
    Observable result(wires);
    for (std::size_t t = 0; t < coefficients.size(); ++t) {
      add_term(result, x.subspan(t * words, words), z.subspan(t * words, words), coefficients[t]);
    }
    return result;
  }

  static void add_term(Observable& observable, std::span<const std::uint64_t> x, std::span<const std::uint64_t> z,
                       double coefficient) {
    std::string letters;
    std::vector<std::uint32_t> wires;
    for (std::size_t word = 0; word < x.size(); ++word) {
      for (std::uint64_t left = x[word] | z[word]; left != 0; left &= left - 1) {
        const auto bit = static_cast<std::uint32_t>(std::countr_zero(left));
        const bool has_x = (x[word] >> bit & 1U) != 0;
        const bool has_z = (z[word] >> bit & 1U) != 0;
        letters += has_x ? (has_z ? 'Y' : 'X') : 'Z';
        wires.push_back(static_cast<std::uint32_t>(word * 64) + bit);
      }
    }
    observable.add(letters, wires, coefficient);  // refuses wires past the last
  }

  Attribute attribute(const fbs::Attribute& table) {
    switch (table.kind()) {
      case 0:
        return table.integer();
      case 1:
        return table.real();
      case 2:
        return fields_.text(table.text());
      case 3:
        return fields_.copy(table.integers());
      case 4:
        return fields_.copy(table.reals());
      case 5:
        return fields_.texts(table.texts());
      case 6:
        return tensor(present(table.tensor(), "the tensor of an attribute"));
      case 7:
        return std::make_shared<const Graph>(graph(present(table.graph(), "the graph of an attribute")));
      case 8:
        return std::make_shared<const Circuit>(
            decode_circuit(present(table.circuit(), "the circuit of an attribute"), fields_));
      case 9:
        return observables(table);
      default:
        break;  // a byte from a file, not an enum
    }
    throw Error(ErrorCode::version_too_new,
                "there are no attributes of kind " + std::to_string(table.kind()) + " in this program", {},
                "update this program");
  }

  std::vector<Observable> observables(const fbs::Attribute& table) {
    std::vector<Observable> result;
    const std::uint32_t count = fields_.count(table.observables());
    for (std::uint32_t i = 0; i < count; ++i) result.push_back(observable(*table.observables()->Get(i)));
    return result;
  }

  Node node(const fbs::Node& table) {
    Node node;
    node.op = fields_.text(table.op());
    node.name = fields_.text(table.name());
    node.inputs = fields_.copy(table.inputs());
    node.outputs = fields_.copy(table.outputs());
    const std::uint32_t count = fields_.count(table.attributes());
    for (std::uint32_t i = 0; i < count; ++i) {
      const auto& item = *table.attributes()->Get(i);
      node.attributes.emplace_back(fields_.text(item.name()), attribute(item));
    }
    return node;
  }

  Fields& fields_;
  const Weights& weights_;
  int nesting_ = 0;
};

}  // namespace

Graph decode_graph(const fbs::Graph& table, Fields& fields, const Weights& weights) {
  return GraphDecoder(fields, weights).graph(table);
}

}  // namespace skerry::package
