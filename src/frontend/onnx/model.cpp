#include "frontend/onnx/model.hpp"

#include <algorithm>
#include <array>

namespace skerry::frontend::onnx::proto {

const Attribute* Node::find(std::string_view attribute) const noexcept {
  const auto found = std::ranges::find(attributes, attribute, &Attribute::name);
  return found == attributes.end() ? nullptr : &*found;
}

std::string_view Node::label() const noexcept {
  if (!name.empty()) return name;
  for (const auto output : outputs) {
    if (!output.empty()) return output;
  }
  return op;
}

namespace {

/// Records (nodes, names, attributes, tensors) that a node has on average in no honest model.
constexpr std::uint64_t kRecordsPerNode = 16;

/// Walks the messages of one file and counts what it keeps.
class ModelReader {
 public:
  ModelReader(Bytes file, const ImportLimits& limits) : file_(file), limits_(limits) {}

  Model model();

 private:
  WireReader reader(Bytes message) const { return {message, file_.data()}; }
  std::string_view text(const WireReader& at, const Field& field) { return at.text(field, limits_.max_name_bytes); }
  template <class T>
  T& append(std::vector<T>& list, T record);
  Graph graph(Bytes message, std::uint32_t depth);
  Node node(Bytes message, std::uint32_t depth);
  Attribute attribute(Bytes message, std::uint32_t depth);
  Function function(Bytes message);
  OpsetId opset(Bytes message);
  Named named(Bytes message, std::uint32_t name_field);
  Named sparse(Bytes message);
  Named value_info(Bytes message);

  Bytes file_;
  const ImportLimits& limits_;
  std::uint64_t nodes_ = 0, records_ = 0;
};

template <class T>
T& ModelReader::append(std::vector<T>& list, T record) {
  if (++records_ > kRecordsPerNode * limits_.max_nodes)
    throw Error(ErrorCode::limit_exceeded, "more than " + std::to_string(kRecordsPerNode * limits_.max_nodes) +
                                               " names, attributes and tensors, which is " +
                                               std::to_string(kRecordsPerNode) + " times max_nodes");
  return list.emplace_back(std::move(record));
}

Model ModelReader::model() {
  Model model;
  bool has_graph = false;
  WireReader at = reader(file_);
  for (Field field; at.next(field);) {
    switch (field.number) {
      case 1:
        model.ir_version = at.integer(field);
        break;
      case 7:
        if (has_graph) at.fail("the model has two graphs");
        model.graph = graph(at.message(field), 0);
        has_graph = true;
        break;
      case 8:
        append(model.opsets, opset(at.message(field)));
        break;
      case 25:
        append(model.functions, function(at.message(field)));
        break;
      default:
        break;  // NOLINT: unknown and unneeded fields are skipped, as protobuf means it
    }
  }
  if (!has_graph)
    throw Error(ErrorCode::semantic_error, "the model has no graph", {}, "the file is cut off, or no ONNX model");
  return model;
}

Graph ModelReader::graph(Bytes message, std::uint32_t depth) {
  if (depth > limits_.max_nesting)
    throw Error(ErrorCode::limit_exceeded,
                "subgraphs are nested deeper than max_nesting " + std::to_string(limits_.max_nesting));
  Graph graph;
  WireReader at = reader(message);
  for (Field field; at.next(field);) {
    switch (field.number) {
      case 1:
        append(graph.nodes, node(at.message(field), depth));
        break;
      case 2:
        graph.name = text(at, field);
        break;
      case 5:
        append(graph.initializers, named(at.message(field), 8));
        break;
      case 11:
        append(graph.inputs, value_info(at.message(field)));
        break;
      case 12:
        append(graph.outputs, value_info(at.message(field)));
        break;
      case 15:
        append(graph.sparse_initializers, sparse(at.message(field)));
        break;
      default:
        break;
    }
  }
  return graph;
}

Node ModelReader::node(Bytes message, std::uint32_t depth) {
  if (++nodes_ > limits_.max_nodes)
    throw Error(ErrorCode::limit_exceeded,
                "the model has more nodes than max_nodes " + std::to_string(limits_.max_nodes));
  Node node;
  WireReader at = reader(message);
  for (Field field; at.next(field);) {
    switch (field.number) {
      case 1:
        append(node.inputs, text(at, field));
        break;
      case 2:
        append(node.outputs, text(at, field));
        break;
      case 3:
        node.name = text(at, field);
        break;
      case 4:
        node.op = text(at, field);
        break;
      case 5:
        append(node.attributes, attribute(at.message(field), depth));
        break;
      case 7:
        node.domain = text(at, field);
        break;
      case 8:
        node.overload = text(at, field);
        break;
      default:
        break;
    }
  }
  return node;
}

/// Type of an attribute written before the type field existed (IR version 1), from the field that carries its value.
AttributeType type_of_field(std::uint32_t number) noexcept {
  switch (number) {
    case 2:
      return AttributeType::real;
    case 3:
      return AttributeType::integer;
    case 4:
      return AttributeType::string;
    case 5:
      return AttributeType::tensor;
    case 6:
      return AttributeType::graph;
    case 7:
      return AttributeType::reals;
    case 8:
      return AttributeType::integers;
    case 9:
      return AttributeType::strings;
    case 10:
      return AttributeType::tensors;
    case 11:
      return AttributeType::graphs;
    case 14:
      return AttributeType::type;
    case 22:
      return AttributeType::sparse_tensor;
    default:
      return AttributeType::undefined;
  }
}

Attribute ModelReader::attribute(Bytes message, std::uint32_t depth) {
  Attribute attribute;
  attribute.body = message;
  AttributeType guess = AttributeType::undefined;
  WireReader at = reader(message);
  for (Field field; at.next(field);) {
    if (guess == AttributeType::undefined) guess = type_of_field(field.number);
    switch (field.number) {
      case 1:
        attribute.name = text(at, field);
        break;
      case 6:
        if (attribute.graph) at.fail("an attribute has two graphs");
        attribute.graph = std::make_unique<Graph>(graph(at.message(field), depth + 1));
        break;
      case 20: {
        const std::int64_t type = at.integer(field);
        if (type < 0 || type > static_cast<std::int64_t>(AttributeType::types))
          at.fail("attribute type " + std::to_string(type) + " is unknown");
        attribute.type = static_cast<AttributeType>(type);
        break;
      }
      case 21:
        attribute.reference = text(at, field);
        break;
      default:
        break;
    }
  }
  if (attribute.type == AttributeType::undefined) attribute.type = guess;
  if ((attribute.type == AttributeType::graph) != (attribute.graph != nullptr) && attribute.reference.empty())
    at.fail("attribute " + std::string(attribute.name) + " and its type disagree about being a graph");
  return attribute;
}

Function ModelReader::function(Bytes message) {
  Function function;
  WireReader at = reader(message);
  for (Field field; at.next(field);) {
    switch (field.number) {
      case 1:
        function.name = text(at, field);
        break;
      case 4:
        append(function.inputs, text(at, field));
        break;
      case 5:
        append(function.outputs, text(at, field));
        break;
      case 7:
        append(function.nodes, node(at.message(field), 0));
        break;
      case 9:
        append(function.opsets, opset(at.message(field)));
        break;
      case 10:
        function.domain = text(at, field);
        break;
      case 11:
        append(function.defaults, attribute(at.message(field), 0));
        break;
      case 13:
        function.overload = text(at, field);
        break;
      default:
        break;
    }
  }
  return function;
}

OpsetId ModelReader::opset(Bytes message) {
  OpsetId opset;
  WireReader at = reader(message);
  for (Field field; at.next(field);) {
    if (field.number == 1) opset.domain = text(at, field);
    if (field.number == 2) opset.version = at.integer(field);
  }
  return opset;
}

Named ModelReader::named(Bytes message, std::uint32_t name_field) {
  Named named{.name = {}, .body = message};
  WireReader at = reader(message);
  for (Field field; at.next(field);) {
    if (field.number == name_field) named.name = text(at, field);
  }
  return named;
}

Named ModelReader::sparse(Bytes message) {
  Named tensor{.name = {}, .body = message};
  WireReader at = reader(message);
  for (Field field; at.next(field);) {
    if (field.number == 1) tensor.name = named(at.message(field), 8).name;  // named by its values
  }
  return tensor;
}

Named ModelReader::value_info(Bytes message) {
  Named info;
  WireReader at = reader(message);
  for (Field field; at.next(field);) {
    if (field.number == 1) info.name = text(at, field);
    if (field.number == 2) info.body = at.message(field);
  }
  return info;
}

/// Wire type of each ModelProto field; -1 where there is none.
int wire_type_of_model_field(std::uint64_t number) noexcept {
  switch (number) {
    case 1:
    case 5:
      return 0;
    case 2:
    case 3:
    case 4:
    case 6:
    case 7:
    case 8:
    case 14:
    case 20:
    case 25:
    case 26:
      return 2;
    default:
      return -1;
  }
}

}  // namespace

Model read_model(Bytes file, const ImportLimits& limits) {
  return ModelReader(file, limits).model();
}

// A text that begins like a field of a model (`B` is opset_import) has no ir_version soon after, and every writer
// puts ir_version first or within the first few fields. A field that runs past the end is a model cut off: ours.
bool looks_like_model(Bytes file) noexcept {
  constexpr int fields_looked_at = 12;
  constexpr std::uint64_t any_ir_version = 1000;
  bool has_version = false;
  for (int i = 0; i < fields_looked_at && !file.empty(); ++i) {
    std::uint64_t tag = 0, value = 0;
    if (!take_varint(file, tag)) return has_version;
    if (wire_type_of_model_field(tag >> 3) != static_cast<int>(tag & 7)) return false;
    if (!take_varint(file, value)) return has_version;
    if (tag >> 3 == 1) {
      if (value == 0 || value > any_ir_version) return false;
      has_version = true;
    }
    if ((tag & 7) != 2) continue;
    if (value > file.size()) return has_version;
    file = file.subspan(static_cast<std::size_t>(value));
  }
  return has_version;
}

}  // namespace skerry::frontend::onnx::proto
