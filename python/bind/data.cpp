#include "data.hpp"

#include <nanobind/stl/string.h>

#include <algorithm>
#include <memory>
#include <skerry/error.hpp>
#include <string>
#include <type_traits>

#include "arrays.hpp"

namespace skerry::python {
namespace {

// A text, or the UTF-8 of one.
std::string text_of(nb::handle object) {
  if (nb::isinstance<nb::bytes>(object)) {
    const auto bytes = nb::borrow<nb::bytes>(object);
    return {bytes.c_str(), bytes.size()};
  }
  if (!nb::isinstance<nb::str>(object))
    throw Error(ErrorCode::type_mismatch, "an element is no str", "", "give an array of str");
  return nb::cast<std::string>(object);
}

Strings strings_from(nb::handle object) {
  const nb::object array = nb::module_::import_("numpy").attr("asarray")(object);
  std::vector<std::int64_t> dims;
  for (const nb::handle extent : nb::borrow<nb::tuple>(array.attr("shape")))
    dims.push_back(nb::cast<std::int64_t>(extent));
  std::vector<std::string> texts;
  for (const nb::handle element : nb::borrow<nb::list>(array.attr("ravel")().attr("tolist")()))
    texts.push_back(text_of(element));
  return {Shape(dims), std::make_shared<std::vector<std::string>>(std::move(texts))};
}

// The keys of a dict, which are all int or all str.
template <class Key>
std::vector<Key> keys_from(const nb::dict& dict, const char* what) {
  std::vector<Key> keys;
  for (const auto& [key, value] : dict) {
    Key each{};
    if (!nb::try_cast(key, each)) throw Error(ErrorCode::type_mismatch, "a key of the dict is no " + std::string(what));
    keys.push_back(std::move(each));
  }
  return keys;
}

Map map_from(nb::handle object, const TensorType& type) {
  if (!nb::isinstance<nb::dict>(object))
    throw Error(ErrorCode::type_mismatch, "the model takes " + type.text(), "", "give a dict");
  const auto dict = nb::borrow<nb::dict>(object);
  Map map;
  if (type.wraps.front() == Wrap::map_of_i64) {
    map.keys = keys_from<std::int64_t>(dict, "int");
  } else {
    map.keys = keys_from<std::string>(dict, "str");
  }
  const nb::list values = dict.values();
  if (type.dtype == DType::string) {
    map.values = strings_from(values);
  } else {
    // Python's own numbers have no dtype: they take the model's.
    const nb::module_ numpy = nb::module_::import_("numpy");
    map.values = tensor_from_object(
        numpy.attr("asarray")(values, nb::arg("dtype") = array_from(Tensor(type.dtype, Shape{0})).attr("dtype")));
  }
  return map;
}

Datum datum_from(nb::handle object, const TensorType& type) {
  if (type.is_tensor()) {
    if (type.dtype == DType::string) return strings_from(object);
    return tensor_from_object(object);
  }
  if (type.wraps.front() == Wrap::optional) {
    if (object.is_none()) return Optional();
    return Optional{std::make_shared<const Datum>(datum_from(object, type.unwrapped()))};
  }
  if (type.wraps.front() != Wrap::sequence) return map_from(object, type);
  if (!nb::isinstance<nb::sequence>(object))
    throw Error(ErrorCode::type_mismatch, "the model takes " + type.text(), "", "give a list");
  auto items = std::make_shared<std::vector<Datum>>();
  for (const nb::handle item : nb::borrow<nb::sequence>(object)) items->push_back(datum_from(item, type.unwrapped()));
  return Sequence{std::move(items)};
}

nb::object array_from_texts(const Strings& strings) {
  nb::list texts;
  if (strings.texts != nullptr) {
    for (const std::string& text : *strings.texts) texts.append(nb::str(text.data(), text.size()));
  }
  nb::list shape;
  for (const std::int64_t extent : strings.shape.dims()) shape.append(extent);
  const nb::module_ numpy = nb::module_::import_("numpy");
  nb::object flat = numpy.attr("empty")(texts.size(), nb::arg("dtype") = "object");
  flat[nb::slice(nb::none(), nb::none(), nb::none())] = texts;
  return flat.attr("reshape")(nb::tuple(shape));
}

nb::object dict_from(const Map& map) {
  const auto* texts = std::get_if<Strings>(&map.values);
  const nb::object array = texts != nullptr ? array_from_texts(*texts) : array_from(std::get<Tensor>(map.values), true);
  const nb::object values = array.attr("tolist")();
  nb::dict dict;
  std::visit(
      [&](const auto& keys) {
        for (std::size_t i = 0; i < keys.size(); ++i) dict[nb::cast(keys[i])] = values[i];
      },
      map.keys);
  return dict;
}

}  // namespace

bool takes_data(const Graph& graph) {
  const auto is_data = [&](ValueId id) { return !graph.value(id).type.is_numbers(); };
  return std::ranges::any_of(graph.inputs(), is_data) || std::ranges::any_of(graph.outputs(), is_data);
}

NamedData named_data(const Graph& graph, nb::handle inputs) {
  NamedData data;
  for (const auto& [key, value] : dict_by_name(inputs)) {
    const auto name = nb::cast<std::string>(key);
    const auto found = std::ranges::find_if(graph.inputs(), [&](ValueId id) { return graph.value(id).name == name; });
    try {
      // A name that the model has not is refused by the session, which knows the others.
      data.emplace_back(name, found == graph.inputs().end() ? Datum() : datum_from(value, graph.value(*found).type));
    } catch (const Error& error) {
      throw error.at("input '" + name + "'");
    }
  }
  return data;
}

nb::object object_from(const Datum& datum) {
  return std::visit(
      []<class T>(const T& value) -> nb::object {
        if constexpr (std::is_same_v<T, Tensor>) {
          return array_from(value, true);
        } else if constexpr (std::is_same_v<T, Strings>) {
          return array_from_texts(value);
        } else if constexpr (std::is_same_v<T, Optional>) {
          return value.item == nullptr ? nb::none() : object_from(*value.item);
        } else if constexpr (std::is_same_v<T, Map>) {
          return dict_from(value);
        } else {
          nb::list items;
          for (std::size_t i = 0; i < value.size(); ++i) items.append(object_from((*value.items)[i]));
          return items;
        }
      },
      datum.value);
}

}  // namespace skerry::python
