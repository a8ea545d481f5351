#include <cmath>
#include <map>

#include "ops/nn/text_labels.hpp"
#include "ops/nn/trees.hpp"

namespace skerry::ops {
namespace {

// Keys and values as reals: what the standard pairs are integers, reals, or tensors of them.
struct Table {
  Doubles keys, values;
  double otherwise = -1.0;
  DType result = DType::i64;
};

Doubles either(const Node& node, std::initializer_list<const char*> names, DType* dtype) {
  for (const char* name : names) {
    const Attribute* found = node.find(name);
    if (found == nullptr) continue;
    const bool reals = std::holds_alternative<std::vector<double>>(*found);
    const auto* tensor = std::get_if<Tensor>(found);
    if (dtype != nullptr) *dtype = tensor != nullptr ? tensor->dtype() : reals ? DType::f32 : DType::i64;
    return real_list(node, name);
  }
  refuse(node, "there are no keys, or no values, of this dtype");
}

double default_of(const Node& node, DType result) {
  if (node.find("default_tensor") != nullptr) return real_list(node, "default_tensor").at(0);
  if (result == DType::f32) return node.real("default_float", -0.0);
  return static_cast<double>(node.integer("default_int64", -1));
}

Table table_of(const Node& node) {
  Table table;
  table.keys = either(node, {"keys_int64s", "keys_floats", "keys_tensor"}, nullptr);
  table.values = either(node, {"values_int64s", "values_floats", "values_tensor"}, &table.result);
  if (table.keys.size() != table.values.size())
    refuse(node, std::to_string(table.keys.size()) + " keys and " + std::to_string(table.values.size()) + " values");
  table.otherwise = default_of(node, table.result);
  return table;
}

// Texts of the attribute of that end, or of its tensor; nothing where it is numbers.
const std::vector<std::string>* texts_at(const Node& node, const std::string& end) {
  for (const char* suffix : {"_strings", "_tensor"}) {
    const Attribute* found = node.find(end + suffix);
    const auto* texts = found == nullptr ? nullptr : std::get_if<std::vector<std::string>>(found);
    if (texts != nullptr) return texts;
  }
  return nullptr;
}

void infer(TypeContext& context) {
  const Node& node = context.node;
  const bool texts = input(context, 0).dtype == DType::string;
  if (!texts) require(context, 0, kernels::Numbers{});
  if (texts != (texts_at(node, "keys") != nullptr)) refuse(node, "the keys are not of the dtype of the input");
  DType result = DType::string;
  if (texts_at(node, "values") == nullptr) {
    either(node, {"values_int64s", "values_floats", "values_tensor"}, &result);
  }
  set_output(context, 0, result, input(context, 0).shape);
}

// The place of each element among the keys: -1 where there is none.
std::vector<std::int64_t> places_of(DataNode& context) {
  const Node& node = context.node;
  std::vector<std::int64_t> places;
  if (const auto* keys = texts_at(node, "keys")) {
    const TextNumbers numbers(*keys);
    for (const std::string& text : texts_of(strings_in(context, 0))) places.push_back(numbers.of(text));
    return places;
  }
  const Doubles keys = either(node, {"keys_int64s", "keys_floats", "keys_tensor"}, nullptr);
  std::map<double, std::int64_t> place_of_key;
  std::int64_t of_nan = -1;
  for (std::size_t i = 0; i < keys.size(); ++i)
    (std::isnan(keys[i]) ? of_nan : place_of_key[keys[i]]) = static_cast<std::int64_t>(i);
  for (const double value : doubles(tensor_in(context, 0).view())) {
    const auto found = std::isnan(value) ? place_of_key.end() : place_of_key.find(value);
    places.push_back(std::isnan(value) ? of_nan : found == place_of_key.end() ? -1 : found->second);
  }
  return places;
}

std::vector<Datum> carry_out(DataNode& context) {
  const Node& node = context.node;
  const std::vector<std::int64_t> places = places_of(context);
  const Shape shape =
      context.inputs[0].as<Strings>() != nullptr ? strings_in(context, 0).shape : tensor_in(context, 0).shape();
  if (const auto* values = texts_at(node, "values")) {
    const auto* given = node.find("default_tensor");
    const std::string otherwise =
        given != nullptr ? text_list(node, "default_tensor").at(0) : node.text("default_string", "_Unused");
    std::vector<std::string> out;
    for (const std::int64_t place : places) {
      if (place >= static_cast<std::int64_t>(values->size())) refuse(node, "there are more keys than values");
      out.push_back(place < 0 ? otherwise : (*values)[static_cast<std::size_t>(place)]);
    }
    return {strings_of(node, shape, std::move(out), context.evaluation)};
  }
  DType dtype = DType::i64;
  const Doubles values = either(node, {"values_int64s", "values_floats", "values_tensor"}, &dtype);
  const double otherwise = default_of(node, dtype);
  Doubles out;
  for (const std::int64_t place : places) {
    if (place >= static_cast<std::int64_t>(values.size())) refuse(node, "there are more keys than values");
    out.push_back(place < 0 ? otherwise : values[static_cast<std::size_t>(place)]);
  }
  const Tensor result = allocate(dtype, shape, context.evaluation);
  store(out, writable(result));
  return {result};
}

void run(const Node& node, const KernelArguments& a) {
  const Table table = table_of(node);
  std::map<double, double> values;
  double of_nan = table.otherwise;
  for (std::size_t i = 0; i < table.keys.size(); ++i) {
    if (std::isnan(table.keys[i])) {
      of_nan = table.values[i];
    } else {
      values[table.keys[i]] = table.values[i];
    }
  }
  Doubles x = doubles(a.inputs[0]);
  for (double& value : x) {
    const auto found = std::isnan(value) ? values.end() : values.find(value);
    value = std::isnan(value) ? of_nan : found == values.end() ? table.otherwise : found->second;
  }
  store(x, a.outputs[0]);
}

}  // namespace

extern const OpRecord labelencoder_record;
const OpRecord labelencoder_record = {
    .name = "ai.onnx.ml.LabelEncoder",
    .since_opset = 5,
    .help =
        "Each element looked up among keys_*: the value at the same place in values_*, or the default. Numbers, "
        "whose integers beyond 2^53 are not told apart, or strings.",
    .inputs = 1,
    .infer = infer,
    .kernels = kReference<run>,
    .carry_out = carry_out,
};

}  // namespace skerry::ops
