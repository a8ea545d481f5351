/// \file
/// An ONNX model as it stands in the file: names are views into it, tensors and types stay undecoded spans of it.
///
/// Field numbers are those of onnx-ml.proto. Only what import needs is kept; documentation, training information,
/// metadata and sharding hints are skipped.
#pragma once

#include <memory>
#include <optional>
#include <skerry/limits.hpp>
#include <string_view>
#include <vector>

#include "frontend/onnx/wire.hpp"

namespace skerry::frontend::onnx::proto {

struct Graph;

/// Values of AttributeProto.type.
enum class AttributeType : std::uint8_t {
  undefined = 0,
  real = 1,
  integer = 2,
  string = 3,
  tensor = 4,
  graph = 5,
  reals = 6,
  integers = 7,
  strings = 8,
  tensors = 9,
  graphs = 10,
  sparse_tensor = 11,
  sparse_tensors = 12,
  type = 13,
  types = 14,
};

/// An AttributeProto; its value is decoded from `body` when a node is built.
struct Attribute {
  std::string_view name;
  std::string_view reference;  ///< ref_attr_name: the attribute of the enclosing function that gives the value
  AttributeType type = AttributeType::undefined;
  Bytes body;
  std::unique_ptr<Graph> graph;  ///< of type graph
};

/// A named message whose content is decoded later: TensorProto, SparseTensorProto, or the TypeProto of a
/// ValueInfoProto.
struct Named {
  std::string_view name;
  Bytes body;
};

struct Node {
  std::vector<std::string_view> inputs;   ///< empty text: an optional input left out
  std::vector<std::string_view> outputs;  ///< empty text: an output not wanted
  std::string_view name, op, domain, overload;
  std::vector<Attribute> attributes;

  const Attribute* find(std::string_view attribute) const noexcept;
  /// The node's name, or that of its first output where it has none.
  std::string_view label() const noexcept;
};

struct Graph {
  std::string_view name;
  std::vector<Node> nodes;
  std::vector<Named> initializers;
  std::vector<Named> sparse_initializers;
  std::vector<Named> inputs, outputs;
};

/// One row of opset_import.
struct OpsetId {
  std::string_view domain;
  std::int64_t version = 0;
};

struct Function {
  std::string_view name, domain, overload;
  std::vector<std::string_view> inputs, outputs;
  std::vector<Attribute> defaults;  ///< attribute_proto: attributes with a default; the others need no declaration here
  std::vector<Node> nodes;
  std::vector<OpsetId> opsets;
};

struct Model {
  std::int64_t ir_version = 0;
  std::vector<OpsetId> opsets;
  std::vector<Function> functions;
  Graph graph;
};

/// Reads the structure of a model. Memory is bounded by limits.max_nodes, not by the file: a file full of empty
/// messages is refused. Errors: syntax_error (`where` is `byte N`); limit_exceeded for nodes, nesting of subgraphs,
/// names; semantic_error without a graph.
Model read_model(Bytes file, const ImportLimits& limits);

/// True when the first fields look like those of a model. Looks at a few bytes; never throws.
bool looks_like_model(Bytes file) noexcept;

}  // namespace skerry::frontend::onnx::proto
