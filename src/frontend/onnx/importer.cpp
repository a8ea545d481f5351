#include "frontend/onnx/importer.hpp"

#include <algorithm>
#include <skerry/error.hpp>

#include "frontend/onnx/attributes.hpp"
#include "frontend/onnx/circuits.hpp"
#include "frontend/onnx/expansions.hpp"
#include "frontend/onnx/types.hpp"
#include "ops/nn/op_record.hpp"

namespace skerry::frontend::onnx {

namespace {

/// All attribute lists of a model together: a function inlined many times copies its own each time.
constexpr std::uint64_t kMaxAttributeBytes = std::uint64_t{256} << 20;

/// Older models import no opsets: they are written against the first one.
constexpr std::int64_t kFirstIrVersionWithOpsets = 3;

/// Runs `work`; an error that knows no place but a byte gets `where` in front.
template <class Work>
auto placed_at(std::string_view where, Work work) {
  try {
    return work();
  } catch (const Error& error) {
    throw error.at(where);
  }
}

/// Counts how deep functions and subgraphs are open at once.
class Descent {
 public:
  Descent(std::uint32_t& depth, std::uint32_t max_nesting) : depth_(depth) {
    if (depth_ == max_nesting)
      throw Error(ErrorCode::limit_exceeded,
                  "functions and subgraphs are nested deeper than max_nesting " + std::to_string(max_nesting));
    ++depth_;
  }
  ~Descent() { --depth_; }
  Descent(const Descent&) = delete;
  Descent& operator=(const Descent&) = delete;

 private:
  std::uint32_t& depth_;
};

}  // namespace

std::string Importer::Target::unique(std::string name) {
  if (names.insert(name).second) return name;
  while (true) {
    std::string other = name + "_" + std::to_string(++renamed);
    if (names.insert(other).second) return other;
  }
}

void Importer::Target::reserve(const std::vector<proto::Node>& nodes) {
  for (const auto& node : nodes) {
    for (const auto output : node.outputs) names.emplace(output);
  }
}

void Importer::Scope::define(std::string_view name, ValueId id) {
  require_new(name);
  values.emplace(name, id);
}

void Importer::Scope::require_new(std::string_view name) const {
  if (values.contains(name)) throw Error(ErrorCode::semantic_error, "value " + std::string(name) + " is made twice");
}

ValueId Importer::Scope::resolve(std::string_view name) const {
  if (name.empty()) return kNoValue;
  const auto found = values.find(name);
  if (found == values.end())
    throw Error(ErrorCode::semantic_error, "nothing makes value " + std::string(name), {},
                "inputs, initializers and outputs of other nodes can be read");
  return found->second;
}

std::string Importer::Scope::name_of(std::string_view local) const {
  const auto wanted = wanted_names.find(local);
  if (wanted != wanted_names.end()) return wanted->second;
  return prefix.empty() ? std::string(local) : target.unique(prefix + std::string(local));
}

Importer::Importer(const proto::Model& model, const FunctionTable& functions, TensorDecoder& tensors,
                   const std::byte* origin, const ImportLimits& limits)
    : model_(model),
      functions_(functions),
      tensors_(tensors),
      origin_(origin),
      limits_(limits),
      opsets_(model.opsets, nullptr),
      free_names_(limits.max_nodes) {
  if (model.ir_version < kFirstIrVersionWithOpsets) opsets_.assume_first();
  for (const auto& function : model.functions)
    placed_at(function.name, [&] { function_opsets_.emplace(&function, Opsets(function.opsets, &opsets_)); });
}

Graph Importer::import() {
  Target target;
  target.graph.name = model_.graph.name;
  Scope scope{.target = target, .opsets = opsets_, .prefix = {}, .values = {}, .wanted_names = {}};
  add_initializers(model_.graph, scope);
  add_inputs(model_.graph, scope);
  add_nodes(model_.graph.nodes, scope);
  add_outputs(model_.graph, scope);
  return std::move(target.graph);
}

void Importer::add_initializers(const proto::Graph& graph, Scope& scope) {
  const auto add = [&](const proto::Named& tensor, bool is_sparse) {
    placed_at(tensor.name, [&] {
      if (tensor.name.empty()) throw Error(ErrorCode::semantic_error, "an initializer has no name");
      scope.target.names.emplace(tensor.name);
      if (auto texts = is_sparse ? std::nullopt : tensors_.texts(tensor.body)) {
        scope.define(tensor.name, add_texts(std::move(*texts), std::string(tensor.name), scope));
        return;
      }
      Tensor value = is_sparse ? tensors_.sparse(tensor.body) : tensors_.dense(tensor.body);
      scope.define(tensor.name, scope.target.graph.add_constant(std::string(tensor.name), std::move(value)));
    });
  };
  for (const auto& tensor : graph.initializers) add(tensor, false);
  for (const auto& tensor : graph.sparse_initializers) add(tensor, true);
}

// Up to IR version 3 every initializer was listed among the inputs, and since then one listed there is a default: in
// both cases it is a constant here. The initializers are in scope already.
void Importer::add_inputs(const proto::Graph& graph, Scope& scope) {
  std::unordered_set<std::string_view> seen;
  for (const auto& input : graph.inputs) {
    placed_at(input.name, [&] {
      if (input.name.empty()) throw Error(ErrorCode::semantic_error, "an input has no name");
      if (!seen.insert(input.name).second) throw Error(ErrorCode::semantic_error, "two inputs have the same name");
      if (scope.values.contains(input.name)) return;
      // The inputs of a loop's body may come without a type: inference gives them the loop's.
      const bool is_inner = depth_ > 0;
      TensorType type = is_inner && input.body.empty() ? TensorType{} : read_type(input.body, origin_, limits_);
      scope.target.names.emplace(input.name);
      scope.define(input.name, scope.target.graph.add_input(std::string(input.name), std::move(type)));
    });
  }
}

void Importer::add_outputs(const proto::Graph& graph, Scope& scope) {
  for (const auto& output : graph.outputs) {
    placed_at(output.name, [&] {
      if (output.name.empty()) throw Error(ErrorCode::semantic_error, "an output has no name");
      ValueId id = scope.resolve(output.name);
      if (id == kNoValue) throw Error(ErrorCode::semantic_error, "output is an absent optional value");
      // A function that hands one of its inputs through gives a name of the caller's to a value that has one.
      Graph& target = scope.target.graph;
      if (target.value(id).name != output.name) {
        const std::string name(output.name);
        const NodeId copy = target.add_node(
            {.op = "Identity", .name = name, .inputs = {id}, .outputs = {}, .attributes = {}}, std::span(&name, 1));
        id = target.node(copy).outputs[0];
      }
      target.mark_output(id);
    });
  }
}

void Importer::add_nodes(const std::vector<proto::Node>& nodes, Scope& scope) {
  // Names of the file go before names made up for inlined functions.
  if (scope.prefix.empty()) scope.target.reserve(nodes);
  // Before they are put in order: a node that overwrites its own input would look like a cycle.
  for (const auto& node : nodes) {
    placed_at(node.label(), [&] { std::ranges::for_each(node.outputs, [&](auto name) { scope.require_new(name); }); });
  }
  for (const std::size_t i : order_of_use(nodes, free_names_)) {
    placed_at(scope.prefix + std::string(nodes[i].label()), [&] { add_node(nodes[i], scope); });
  }
}

void Importer::add_node(const proto::Node& node, Scope& scope) {
  charge_nodes(1);
  if (const auto* function = functions_.find(node)) {
    add_call(node, *function, scope);
  } else if (plain_domain(node.domain).empty() && node.op == "Constant") {
    add_constant(node, scope);
  } else {
    add_operator(node, scope);
  }
}

void Importer::charge_nodes(std::size_t count) {
  nodes_ += count;
  if (nodes_ > limits_.max_nodes)
    throw Error(ErrorCode::limit_exceeded, "the graph has more nodes than max_nodes " +
                                               std::to_string(limits_.max_nodes) + " once functions are inlined");
}

void Importer::add_constant(const proto::Node& node, Scope& scope) {
  const proto::Attribute* value = nullptr;
  for (const auto& attribute : node.attributes) {
    const auto* found = bound(attribute, scope);
    if (found != nullptr && value != nullptr) throw Error(ErrorCode::semantic_error, "Constant has two values");
    if (found != nullptr) value = found;
  }
  if (value == nullptr || node.outputs.size() != 1 || node.outputs[0].empty())
    throw Error(ErrorCode::semantic_error, "Constant needs one attribute and one output");
  const std::string_view name = node.outputs[0];
  if (auto texts = read_constant_texts(*value, tensors_, origin_)) {
    scope.define(name, add_texts(std::move(*texts), scope.name_of(name), scope));
    return;
  }
  Tensor tensor = read_constant(*value, tensors_, origin_);
  scope.define(name, scope.target.graph.add_constant(scope.name_of(name), std::move(tensor)));
}

// Strings are no constant of the graph, whose constants are bytes of numbers, but what a node of their own gives.
ValueId Importer::add_texts(TextTensor texts, std::string name, Scope& scope) {
  Node node;
  node.op = "skerry.Strings";
  node.name = name;
  const auto dims = texts.shape.dims();
  const TensorType type = TensorType::of(DType::string, texts.shape);
  node.set("shape", std::vector<std::int64_t>(dims.begin(), dims.end()));
  node.set("texts", std::move(texts.texts));
  charge(*node.find("texts"));
  const NodeId id = scope.target.graph.add_node(std::move(node), std::span(&name, 1), std::span(&type, 1));
  return scope.target.graph.node(id).outputs[0];
}

const proto::Attribute* Importer::bound(const proto::Attribute& attribute, const Scope& scope) const {
  if (attribute.reference.empty()) return &attribute;
  if (scope.bindings == nullptr)
    throw Error(ErrorCode::semantic_error,
                "attribute " + std::string(attribute.name) + " refers to a function's, outside of any function");
  const auto found = scope.bindings->find(attribute.reference);
  return found == scope.bindings->end() ? nullptr : found->second;
}

void Importer::charge(const Attribute& attribute) {
  attribute_bytes_ += 64;
  if (const auto* list = std::get_if<std::vector<std::int64_t>>(&attribute)) attribute_bytes_ += 8 * list->size();
  if (const auto* list = std::get_if<std::vector<double>>(&attribute)) attribute_bytes_ += 8 * list->size();
  if (const auto* text = std::get_if<std::string>(&attribute)) attribute_bytes_ += text->size();
  if (const auto* list = std::get_if<std::vector<std::string>>(&attribute)) {
    for (const auto& text : *list) attribute_bytes_ += 32 + text.size();
  }
  if (attribute_bytes_ > kMaxAttributeBytes)
    throw Error(ErrorCode::limit_exceeded,
                "the model's attributes take more than " + std::to_string(kMaxAttributeBytes) + " bytes");
}

void Importer::add_operator(const proto::Node& source, Scope& scope) {
  Node node;
  node.op = record_name(source);
  node.name = scope.prefix + std::string(source.label());
  for (const auto input : source.inputs) node.inputs.push_back(scope.resolve(input));
  while (!node.inputs.empty() && node.inputs.back() == kNoValue) node.inputs.pop_back();
  for (const auto& attribute : source.attributes) {
    const auto* value = bound(attribute, scope);
    if (value == nullptr || value->type == proto::AttributeType::graph) continue;
    if (node.find(attribute.name) != nullptr)
      throw Error(ErrorCode::semantic_error, "attribute " + std::string(attribute.name) + " is given twice");
    if (value->type == proto::AttributeType::type && node.op == "Optional") {
      const TensorType type = read_type_attribute(*value, origin_, limits_);
      const bool is_sequence = type.wraps == std::vector{Wrap::sequence};
      if (!type.is_tensor() && !is_sequence)
        throw Error(ErrorCode::unsupported, "an optional of " + type.text() + " is not supported");
      node.set("dtype", onnx_number(type.dtype));
      node.set("sequence", std::int64_t{is_sequence});
      continue;
    }
    Attribute decoded = read_attribute(*value, tensors_, origin_);
    charge(decoded);
    node.set(std::string(attribute.name), std::move(decoded));
  }
  if (is_circuit(source)) read_circuit(node);
  add_subgraphs(source, scope, node);

  if (const Expansion expand = expansion_of(node.op)) {
    scope.opsets.require_known(source.domain);
    if (source.outputs.size() != 1) throw Error(ErrorCode::semantic_error, node.op + " has one output", node.name);
    scope.define(source.outputs[0], expand(scope.target.graph, node, scope.name_of(source.outputs[0]),
                                           [&](std::string name) { return scope.target.unique(std::move(name)); }));
    return;
  }

  std::vector<std::string> names;
  names.reserve(source.outputs.size());
  for (const auto output : source.outputs) names.push_back(output.empty() ? std::string() : scope.name_of(output));
  while (!names.empty() && names.back().empty()) names.pop_back();
  scope.opsets.require_known(source.domain);
  const NodeId id = scope.target.graph.add_node(std::move(node), names);
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (!names[i].empty()) scope.define(source.outputs[i], scope.target.graph.node(id).outputs[i]);
  }
  upgrade(source, scope, id);
}

void Importer::upgrade(const proto::Node& source, Scope& scope, NodeId id) {
  Graph& graph = scope.target.graph;
  const ops::OpRecord* record = ops::find_op(graph.node(id).op);
  if (record == nullptr || record->upgrade == nullptr) return;
  const std::string base = graph.node(id).name;
  ops::UpgradeContext context{.graph = graph,
                              .node = graph.edit_node(id),
                              .from_opset = scope.opsets.version(source.domain),
                              .add_constant = [&](Tensor tensor) {
                                return graph.add_constant(scope.target.unique(base + "/constant"), std::move(tensor));
                              }};
  record->upgrade(context);
}

// What the subgraphs of a node read from outside: constants are put into each of them (they share storage, and axes or
// shapes stay known inside), all else becomes trailing inputs, the same ones for every subgraph of the node.
void Importer::add_subgraphs(const proto::Node& source, Scope& scope, Node& node) {
  const auto is_graph = [](const proto::Attribute& attribute) { return attribute.graph != nullptr; };
  for (const auto& attribute : source.attributes) {
    const auto* value = bound(attribute, scope);
    if (value != nullptr && value->type == proto::AttributeType::graph && !is_graph(attribute))
      throw Error(ErrorCode::unsupported, "graphs as attributes of functions are not supported");
  }
  if (std::ranges::none_of(source.attributes, is_graph)) return;
  if (node.op == "Loop") node.inputs.resize(std::max<std::size_t>(node.inputs.size(), 2), kNoValue);
  const std::vector<std::string_view> captures = free_names_.of(source);
  for (const auto& attribute : source.attributes) {
    if (!is_graph(attribute)) continue;
    const std::string name(attribute.name);
    node.set(name, placed_at(name, [&] { return build_subgraph(*attribute.graph, scope, captures); }));
  }
  std::int64_t passed = 0;
  for (const auto name : captures) {
    const ValueId id = scope.resolve(name);
    if (id == kNoValue || scope.target.graph.value(id).constant) continue;
    node.inputs.push_back(id);
    ++passed;
  }
  if (passed > 0) node.set("captures", passed);
}

Subgraph Importer::build_subgraph(const proto::Graph& graph, const Scope& outer,
                                  const std::vector<std::string_view>& captures) {
  const Descent descent(depth_, limits_.max_nesting);
  Target target;
  target.graph.name = graph.name;
  Scope scope{.target = target,
              .opsets = outer.opsets,
              .bindings = outer.bindings,
              .prefix = {},
              .values = {},
              .wanted_names = {}};
  add_initializers(graph, scope);
  add_inputs(graph, scope);
  target.reserve(graph.nodes);
  for (const auto name : captures) {
    const ValueId id = outer.resolve(name);
    if (id == kNoValue) throw Error(ErrorCode::semantic_error, "reads the absent optional value " + std::string(name));
    const Value& value = outer.target.graph.value(id);
    if (++captured_ > limits_.max_nodes)
      throw Error(ErrorCode::limit_exceeded,
                  "subgraphs read more than max_nodes " + std::to_string(limits_.max_nodes) + " values from outside");
    // A name that only a sibling reads may be this graph's own as well; then its own counts.
    const bool is_own = target.names.contains(std::string(name));
    const std::string inner = target.unique(std::string(name));
    const ValueId inside =
        value.constant ? target.graph.add_constant(inner, *value.constant) : target.graph.add_input(inner, value.type);
    if (!is_own) scope.define(name, inside);
  }
  add_nodes(graph.nodes, scope);
  add_outputs(graph, scope);
  return std::make_shared<const Graph>(std::move(target.graph));
}

void Importer::add_call(const proto::Node& node, const proto::Function& function, Scope& scope) {
  const Descent descent(depth_, limits_.max_nesting);
  if (node.inputs.size() > function.inputs.size() || node.outputs.size() > function.outputs.size())
    throw Error(ErrorCode::semantic_error, "call with " + std::to_string(node.inputs.size()) + " inputs and " +
                                               std::to_string(node.outputs.size()) + " outputs of function " +
                                               std::string(function.name) + ", which has " +
                                               std::to_string(function.inputs.size()) + " and " +
                                               std::to_string(function.outputs.size()));
  // A call costs work for each parameter even if its function has no nodes.
  charge_nodes(function.inputs.size() + function.defaults.size());
  Bindings bindings;
  for (const auto& value : function.defaults) bindings.insert_or_assign(value.name, &value);
  for (const auto& attribute : node.attributes) {
    if (const auto* value = bound(attribute, scope)) bindings.insert_or_assign(attribute.name, value);
  }
  Scope body{.target = scope.target,
             .opsets = function_opsets_.at(&function),
             .bindings = &bindings,
             .prefix = std::string(function.name) + "_" + std::to_string(++calls_) + "/",
             .values = {},
             .wanted_names = {}};
  for (std::size_t i = 0; i < function.inputs.size(); ++i)
    body.define(function.inputs[i], i < node.inputs.size() ? scope.resolve(node.inputs[i]) : kNoValue);
  for (std::size_t i = 0; i < node.outputs.size(); ++i) {
    if (!node.outputs[i].empty()) body.wanted_names.emplace(function.outputs[i], scope.name_of(node.outputs[i]));
  }
  add_nodes(function.nodes, body);
  for (std::size_t i = 0; i < node.outputs.size(); ++i) {
    if (!node.outputs[i].empty()) scope.define(node.outputs[i], body.resolve(function.outputs[i]));
  }
}

}  // namespace skerry::frontend::onnx
