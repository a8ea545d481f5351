#include "runtime/named_data.hpp"

#include <algorithm>
#include <skerry/error.hpp>
#include <skerry/session.hpp>
#include <string>

#include "ops/nn/evaluate.hpp"

namespace skerry::runtime {
namespace {

const char* kind_of(const Datum& datum) {
  constexpr const char* kKinds[] = {"a tensor", "a tensor of strings", "a sequence", "an optional", "a map"};
  return kKinds[datum.value.index()];
}

[[noreturn]] void refuse(const std::string& place, const std::string& found, const TensorType& wanted) {
  throw Error(ErrorCode::type_mismatch, found + " is given but the model takes " + wanted.text(), place);
}

void check_tensor(const Datum& datum, const TensorType& type, const std::string& place) {
  const auto* strings = datum.as<Strings>();
  const auto* tensor = datum.as<Tensor>();
  if (strings == nullptr && tensor == nullptr) refuse(place, kind_of(datum), type);
  const TensorType given = strings != nullptr ? TensorType::of(DType::string, strings->shape)
                                              : TensorType::of(tensor->dtype(), tensor->shape());
  const Shape shape = strings != nullptr ? strings->shape : tensor->shape();
  if (given.dtype != type.dtype || (strings == nullptr && given.dtype == DType::string) || !type.takes(shape))
    refuse(place, given.text(), type);
  const auto elements = static_cast<std::size_t>(shape.elements());
  if (strings != nullptr && (strings->texts == nullptr ? 0 : strings->texts->size()) != elements)
    refuse(place, "a tensor of too few or too many strings", type);
  if (tensor != nullptr && tensor->view().empty()) refuse(place, "a tensor without elements", type);
}

// One number or text for each key.
void check_map(const Datum& datum, const TensorType& type, const std::string& place) {
  const auto* map = datum.as<Map>();
  if (map == nullptr) refuse(place, kind_of(datum), type);
  const bool integers = type.wraps.front() == Wrap::map_of_i64;
  if (integers != std::holds_alternative<std::vector<std::int64_t>>(map->keys))
    refuse(place, integers ? "a map from strings" : "a map from integers", type);
  const TensorType inside = type.unwrapped();
  if (!inside.is_tensor() || (inside.shape && !inside.shape->empty()))
    throw Error(ErrorCode::unsupported, "maps to other things than numbers and strings are not supported", place);
  const auto keys = std::visit([](const auto& all) { return static_cast<std::int64_t>(all.size()); }, map->keys);
  const Datum values = std::visit([](const auto& all) { return Datum(all); }, map->values);
  check_tensor(values, {inside.dtype, std::vector<Dim>{keys}}, place);
}

// Depth is bounded by the type's.
void check(const Datum& datum, const TensorType& type, const std::string& place) {
  if (type.is_tensor()) return check_tensor(datum, type, place);
  const TensorType inside = type.unwrapped();
  if (type.wraps.front() == Wrap::optional) {
    const auto* optional = datum.as<Optional>();
    if (optional == nullptr) refuse(place, kind_of(datum), type);
    if (optional->item != nullptr) check(*optional->item, inside, place);
    return;
  }
  if (type.wraps.front() == Wrap::map_of_i64 || type.wraps.front() == Wrap::map_of_string)
    return check_map(datum, type, place);
  const auto* sequence = datum.as<Sequence>();
  if (type.wraps.front() != Wrap::sequence || sequence == nullptr) refuse(place, kind_of(datum), type);
  for (std::size_t i = 0; i < sequence->size(); ++i)
    check((*sequence->items)[i], inside, place + "[" + std::to_string(i) + "]");
}

std::string names_of(const Graph& graph) {
  std::string names;
  for (const ValueId id : graph.inputs()) names += (names.empty() ? "'" : ", '") + graph.value(id).name + "'";
  return names;
}

}  // namespace

std::vector<Datum> data_in_order(const Graph& graph, const NamedData& inputs) {
  const auto fail = [&](const std::string& name, const char* what) {
    throw Error(ErrorCode::invalid_argument, "input '" + name + "' " + what, graph.name,
                "the model's inputs are " + names_of(graph));
  };
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const std::string& name = inputs[i].first;
    if (std::ranges::none_of(graph.inputs(), [&](ValueId id) { return graph.value(id).name == name; }))
      fail(name, "is not one of the model's");
    for (std::size_t k = 0; k < i; ++k) {
      if (inputs[k].first == name) fail(name, "is given twice");
    }
  }
  std::vector<Datum> data;
  for (const ValueId id : graph.inputs()) {
    const Value& value = graph.value(id);
    const bool is_optional = !value.type.is_tensor() && value.type.wraps.front() == Wrap::optional;
    const auto found = std::ranges::find(inputs, value.name, &std::pair<std::string, Datum>::first);
    if (found == inputs.end() && !is_optional) fail(value.name, "is missing");
    const std::string place = "input '" + value.name + "'";
    try {
      data.push_back(found == inputs.end() ? Datum(Optional()) : ops::fitted(found->second, value.type));
    } catch (const Error& error) {
      throw error.at(place);
    }
    check(data.back(), value.type, place);
  }
  return data;
}

}  // namespace skerry::runtime

namespace skerry {

TensorType type_of(const Datum& datum, const TensorType& declared) {
  if (const auto* tensor = datum.as<Tensor>()) return TensorType::of(tensor->dtype(), tensor->shape());
  if (const auto* strings = datum.as<Strings>()) return TensorType::of(DType::string, strings->shape);
  return declared;
}

}  // namespace skerry
