#include <cmath>
#include <map>
#include <skerry/error.hpp>

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
  refuse(node, "keys or values that are strings, or none", "only numbers are encoded");
}

Table table_of(const Node& node) {
  Table table;
  table.keys = either(node, {"keys_int64s", "keys_floats", "keys_tensor"}, nullptr);
  table.values = either(node, {"values_int64s", "values_floats", "values_tensor"}, &table.result);
  if (table.keys.size() != table.values.size())
    refuse(node, std::to_string(table.keys.size()) + " keys and " + std::to_string(table.values.size()) + " values");
  if (node.find("default_tensor") != nullptr) {
    table.otherwise = real_list(node, "default_tensor").at(0);
  } else if (table.result == DType::f32) {
    table.otherwise = node.real("default_float", -0.0);
  } else {
    table.otherwise = static_cast<double>(node.integer("default_int64", -1));
  }
  return table;
}

void infer(TypeContext& context) {
  const Node& node = context.node;
  if (input(context, 0).dtype == DType::string || node.find("values_strings") != nullptr)
    throw Error(ErrorCode::unsupported, "labels that are strings", node.name, "only numbers are encoded");
  require(context, 0, kernels::Numbers{});
  set_output(context, 0, table_of(context.node).result, input(context, 0).shape);
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
        "Each element looked up among keys_*: the value at the same place in values_*, or the default. Numbers, which "
        "integers beyond 2^53 are not told apart as; no strings.",
    .inputs = 1,
    .infer = infer,
    .kernels = kReference<run>,
};

}  // namespace skerry::ops
