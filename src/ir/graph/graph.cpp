#include <algorithm>
#include <array>
#include <skerry/error.hpp>
#include <skerry/graph.hpp>

#include "ir/text/spelling.hpp"

namespace skerry {
namespace {

bool before(const std::pair<std::string, Attribute>& entry, std::string_view name) {
  return entry.first < name;
}

template <class T>
const T* typed(const Node& node, std::string_view attribute, const char* kind) {
  const Attribute* found = node.find(attribute);
  if (found == nullptr) return nullptr;
  if (const auto* value = std::get_if<T>(found)) return value;
  throw Error(ErrorCode::type_mismatch,
              "attribute '" + std::string(attribute) + "' of '" + node.op + "' is not " + kind, node.name);
}

}  // namespace

std::string_view wrap_name(Wrap wrap) noexcept {
  constexpr std::string_view kNames[] = {"seq", "optional", "map_of_i64", "map_of_string"};
  return kNames[static_cast<std::size_t>(wrap)];
}

TensorType TensorType::wrapped(Wrap wrap) const {
  TensorType type = *this;
  type.wraps.insert(type.wraps.begin(), wrap);
  return type;
}

TensorType TensorType::unwrapped() const {
  TensorType type = *this;
  type.wraps.erase(type.wraps.begin());
  return type;
}

bool TensorType::takes(const Shape& given) const noexcept {
  if (!shape) return true;
  return std::ranges::equal(*shape, given.dims(),
                            [](const Dim& dim, std::int64_t extent) { return !dim.is_known() || dim.value == extent; });
}

std::optional<Shape> TensorType::static_shape() const {
  if (!shape || !is_tensor()) return std::nullopt;
  std::array<std::int64_t, Shape::kMaxRank + 1> dims{};  // asked for in every run, so nothing is allocated
  std::size_t rank = 0;
  for (const Dim& dim : *shape) {
    if (!dim.is_known()) return std::nullopt;
    if (rank < dims.size()) dims[rank++] = dim.value;
  }
  return Shape(std::span<const std::int64_t>(dims).first(rank));
}

std::string TensorType::text() const {
  if (!is_tensor()) return std::string(wrap_name(wraps.front())) + "(" + unwrapped().text() + ")";
  std::string out(dtype_name(dtype));
  if (!shape) return out + "[*]";
  out += '[';
  for (std::size_t i = 0; i < shape->size(); ++i) {
    const Dim& dim = (*shape)[i];
    if (i != 0) out += ',';
    if (dim.is_known()) {
      out += std::to_string(dim.value);
    } else {
      out += dim.symbol.empty() ? "?" : ir::spelled(dim.symbol);
    }
  }
  return out + "]";
}

TensorType TensorType::of(DType dtype, const Shape& shape) {
  TensorType type{dtype, std::vector<Dim>{}};
  for (const std::int64_t extent : shape.dims()) type.shape->emplace_back(extent);
  return type;
}

const Attribute* Node::find(std::string_view attribute) const noexcept {
  const auto at = std::lower_bound(attributes.begin(), attributes.end(), attribute, before);
  return at != attributes.end() && at->first == attribute ? &at->second : nullptr;
}

void Node::set(std::string attribute, Attribute value) {
  const auto at = std::lower_bound(attributes.begin(), attributes.end(), std::string_view(attribute), before);
  if (at != attributes.end() && at->first == attribute) {
    at->second = std::move(value);
  } else {
    attributes.emplace(at, std::move(attribute), std::move(value));
  }
}

void Node::erase(std::string_view attribute) {
  const auto at = std::lower_bound(attributes.begin(), attributes.end(), attribute, before);
  if (at != attributes.end() && at->first == attribute) attributes.erase(at);
}

std::int64_t Node::integer(std::string_view attribute, std::int64_t otherwise) const {
  const auto* value = typed<std::int64_t>(*this, attribute, "an integer");
  return value == nullptr ? otherwise : *value;
}
double Node::real(std::string_view attribute, double otherwise) const {
  const auto* value = typed<double>(*this, attribute, "a real number");
  return value == nullptr ? otherwise : *value;
}
std::string Node::text(std::string_view attribute, std::string otherwise) const {
  const auto* value = typed<std::string>(*this, attribute, "a string");
  if (value != nullptr) return *value;
  return otherwise;
}
std::vector<std::int64_t> Node::integers(std::string_view attribute, std::vector<std::int64_t> otherwise) const {
  const auto* value = typed<std::vector<std::int64_t>>(*this, attribute, "a list of integers");
  if (value != nullptr) return *value;
  return otherwise;
}

ValueId Graph::add_input(std::string value_name, TensorType type) {
  values_.push_back({std::move(value_name), std::move(type), kNoNode, std::nullopt});
  inputs_.push_back(static_cast<ValueId>(values_.size() - 1));
  return inputs_.back();
}

ValueId Graph::add_constant(std::string value_name, Tensor constant) {
  TensorType type = TensorType::of(constant.dtype(), constant.shape());
  values_.push_back({std::move(value_name), std::move(type), kNoNode, std::move(constant)});
  return static_cast<ValueId>(values_.size() - 1);
}

NodeId Graph::add_node(Node node, std::span<const std::string> output_names, std::span<const TensorType> output_types) {
  for (const ValueId input : node.inputs) {
    if (input == kNoValue || input < values_.size()) continue;
    throw Error(ErrorCode::internal,
                "'" + node.op + "' uses value " + std::to_string(input) + " of " + std::to_string(values_.size()),
                node.name);
  }
  const auto id = static_cast<NodeId>(nodes_.size());
  node.outputs.clear();
  for (std::size_t i = 0; i < output_names.size(); ++i) {
    if (output_names[i].empty()) {
      node.outputs.push_back(kNoValue);
      continue;
    }
    node.outputs.push_back(static_cast<ValueId>(values_.size()));
    values_.push_back({output_names[i], i < output_types.size() ? output_types[i] : TensorType{}, id, std::nullopt});
  }
  nodes_.push_back(std::move(node));
  return id;
}

ValueId Graph::add(std::string op, std::initializer_list<ValueId> inputs, std::string output_name, TensorType type) {
  Node node;
  node.op = std::move(op);
  node.inputs = inputs;
  // A name is what tells add_node() that the output is wanted; it is taken back where the caller gave none.
  const std::string name_of_output = output_name.empty() ? "_" : output_name;
  const NodeId id = add_node(std::move(node), std::span(&name_of_output, 1), std::span(&type, 1));
  const ValueId result = nodes_[id].outputs[0];
  values_[result].name = std::move(output_name);
  return result;
}

void Graph::replace_uses(ValueId from, ValueId to) {
  for (Node& node : nodes_) std::ranges::replace(node.inputs, from, to);
  std::ranges::replace(outputs_, from, to);
}

std::vector<std::uint32_t> Graph::use_counts() const {
  std::vector<std::uint32_t> counts(values_.size(), 0);
  const auto use = [&counts](ValueId id) {
    if (id != kNoValue) ++counts[id];
  };
  for (const Node& node : nodes_) std::ranges::for_each(node.inputs, use);
  std::ranges::for_each(outputs_, use);
  return counts;
}

void Graph::compact(std::span<const std::uint8_t> dead_nodes) {
  if (dead_nodes.size() != nodes_.size()) {
    throw Error(ErrorCode::internal, "compact() was told about " + std::to_string(dead_nodes.size()) + " of " +
                                         std::to_string(nodes_.size()) + " nodes");
  }
  // A value stays if it is an input, an output of a living node, or somebody living refers to it.
  std::vector<std::uint8_t> stays(values_.size(), 0);
  const auto keep = [&stays](ValueId id) {
    if (id != kNoValue) stays[id] = 1;
  };
  std::ranges::for_each(inputs_, keep);
  std::ranges::for_each(outputs_, keep);
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    if (dead_nodes[i] != 0) continue;
    std::ranges::for_each(nodes_[i].inputs, keep);
    std::ranges::for_each(nodes_[i].outputs, keep);
  }
  std::vector<ValueId> value_id(values_.size(), kNoValue);
  std::vector<NodeId> node_id(nodes_.size(), kNoNode);
  ValueId next_value = 0;
  NodeId next_node = 0;
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    if (dead_nodes[i] == 0) node_id[i] = next_node++;
  }
  for (std::size_t i = 0; i < values_.size(); ++i) {
    if (stays[i] == 0) continue;
    if (values_[i].producer != kNoNode) values_[i].producer = node_id[values_[i].producer];
    value_id[i] = next_value++;
    if (value_id[i] != i) values_[value_id[i]] = std::move(values_[i]);
  }
  values_.resize(next_value);
  const auto rename = [&value_id](ValueId& id) {
    if (id != kNoValue) id = value_id[id];
  };
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    if (dead_nodes[i] != 0) continue;
    std::ranges::for_each(nodes_[i].inputs, rename);
    std::ranges::for_each(nodes_[i].outputs, rename);
    if (node_id[i] != i) nodes_[node_id[i]] = std::move(nodes_[i]);
  }
  nodes_.resize(next_node);
  std::ranges::for_each(inputs_, rename);
  std::ranges::for_each(outputs_, rename);
}

}  // namespace skerry
