/// \file
/// Builds the IR graph of a model that was read: scopes of names, functions inlined, subgraphs closed over what they
/// use.
#pragma once

#include <skerry/graph.hpp>
#include <skerry/limits.hpp>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "frontend/onnx/model.hpp"
#include "frontend/onnx/operators.hpp"
#include "frontend/onnx/order.hpp"
#include "frontend/onnx/tensors.hpp"

namespace skerry::frontend::onnx {

/// One import of one model. Every operator of the model must be known (require_known_operators).
class Importer {
 public:
  Importer(const proto::Model& model, const FunctionTable& functions, TensorDecoder& tensors, const std::byte* origin,
           const ImportLimits& limits);

  /// The model's graph with every node in the newest opset's form; types are those stated for the inputs only.
  /// Errors: semantic_error for names made twice or never, cycles, missing types or attributes; limit_exceeded past
  /// max_nodes once functions are inlined; whatever tensors and attributes bring. `where` is a node or value.
  Graph import();

 private:
  /// Attributes of a function call by the function's own names.
  using Bindings = std::unordered_map<std::string_view, const proto::Attribute*>;

  /// A graph under construction and the names its values have.
  struct Target {
    Graph graph;
    std::unordered_set<std::string> names;
    std::uint64_t renamed = 0;
    /// `name`, or with a number behind it if a value has it already.
    std::string unique(std::string name);
    /// Keeps the names of these nodes' outputs from names made up.
    void reserve(const std::vector<proto::Node>& nodes);
  };

  /// Names visible while the nodes of one graph or function body are built.
  struct Scope {
    Target& target;
    const Opsets& opsets;
    const Bindings* bindings = nullptr;  ///< null outside functions
    std::string prefix;                  ///< of value and node names inside an inlined function
    std::unordered_map<std::string_view, ValueId> values;
    std::unordered_map<std::string_view, std::string> wanted_names;  ///< what the caller calls a function's outputs

    void define(std::string_view name, ValueId id);
    void require_new(std::string_view name) const;
    ValueId resolve(std::string_view name) const;
    std::string name_of(std::string_view local) const;
  };

  void add_inputs(const proto::Graph& graph, Scope& scope);
  void add_initializers(const proto::Graph& graph, Scope& scope);
  void add_outputs(const proto::Graph& graph, Scope& scope);
  void add_nodes(const std::vector<proto::Node>& nodes, Scope& scope);
  void add_node(const proto::Node& node, Scope& scope);
  void add_constant(const proto::Node& node, Scope& scope);
  ValueId add_texts(TextTensor texts, std::string name, Scope& scope);
  void add_operator(const proto::Node& source, Scope& scope);
  void add_call(const proto::Node& node, const proto::Function& function, Scope& scope);
  void add_subgraphs(const proto::Node& source, Scope& scope, Node& node);
  Subgraph build_subgraph(const proto::Graph& graph, const Scope& outer, const std::vector<std::string_view>& captures);
  void upgrade(const proto::Node& source, Scope& scope, NodeId id);
  const proto::Attribute* bound(const proto::Attribute& attribute, const Scope& scope) const;
  void charge(const Attribute& attribute);
  void charge_nodes(std::size_t count);

  const proto::Model& model_;
  const FunctionTable& functions_;
  TensorDecoder& tensors_;
  const std::byte* origin_;
  const ImportLimits& limits_;
  Opsets opsets_;
  std::unordered_map<const proto::Function*, Opsets> function_opsets_;
  FreeNames free_names_;
  std::uint64_t nodes_ = 0, calls_ = 0, captured_ = 0, attribute_bytes_ = 0;
  std::uint32_t depth_ = 0;
};

}  // namespace skerry::frontend::onnx
