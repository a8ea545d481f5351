#include "wire/infer.hpp"

#include <skerry/error.hpp>

#include "wire/json_node.hpp"
#include "wire/tensors.hpp"

namespace skerry::wire {
namespace {

// What stands in "parameters" of a tensor.
struct TensorParameters {
  std::optional<std::uint64_t> binary_bytes;
  std::optional<bool> binary;
  std::optional<SharedStretch> shared;

  SharedStretch& stretch() { return shared ? *shared : shared.emplace(); }
};

TensorParameters tensor_parameters(const JsonNode& node) {
  TensorParameters out;
  for (const auto& [name, value] : node.members()) {
    if (name == "binary_data_size") out.binary_bytes = value.whole();
    if (name == "binary_data") out.binary = value.flag();
    if (name == "shared_memory_region") out.stretch().region = value.text();
    if (name == "shared_memory_offset") out.stretch().offset = value.whole();
    if (name == "shared_memory_byte_size") out.stretch().bytes = value.whole();
    if (name == "classification" && value.whole() != 0) {
      throw Error(ErrorCode::unsupported, "classification is not supported", value.where(),
                  "ask for the output itself");
    }
  }
  return out;
}

struct TensorMembers {
  std::string name;
  std::optional<DType> dtype;
  std::optional<Shape> shape;
  std::optional<JsonNode> data;
  TensorParameters parameters;
};

TensorMembers tensor_members(const JsonNode& object) {
  TensorMembers out;
  for (const auto& [key, value] : object.members()) {
    if (key == "name") out.name = value.text();
    if (key == "datatype") out.dtype = dtype_named(value);
    if (key == "shape") out.shape = shape_of(value);
    if (key == "data") out.data = value;
    if (key == "parameters") out.parameters = tensor_parameters(value);
  }
  return out;
}

Tensor elements(const TensorMembers& tensor, const JsonNode& object, BinaryReader& binary) {
  const auto& bytes = tensor.parameters.binary_bytes;
  if (tensor.data.has_value() == bytes.has_value()) {
    object.refuse("tensor '" + tensor.name + "' needs either data or binary_data_size");
  }
  if (tensor.data) return tensor_of_json(*tensor.dtype, *tensor.shape, *tensor.data);
  try {
    return tensor_of_bytes(*tensor.dtype, *tensor.shape, binary.take(*bytes, {}), {});
  } catch (const Error& error) {
    throw error.at(object.where() + ".parameters.binary_data_size");
  }
}

InferInput input_of(const JsonNode& object, BinaryReader& binary) {
  TensorMembers members = tensor_members(object);
  if (members.name.empty()) object.refuse("the name is missing");
  if (!members.dtype) object.refuse("the datatype is missing");
  if (!members.shape) object.refuse("the shape is missing");
  InferInput input{.name = members.name, .dtype = *members.dtype, .shape = *members.shape};
  input.shared = members.parameters.shared;
  if (!input.shared) input.tensor = elements(members, object, binary);
  return input;
}

RequestedOutput output_of(const JsonNode& object, bool otherwise) {
  const TensorMembers members = tensor_members(object);
  if (members.name.empty()) object.refuse("the name is missing");
  return {members.name, members.parameters.binary.value_or(otherwise), members.parameters.shared};
}

void read_parameters(const JsonNode& node, InferRequest& request) {
  for (const auto& [name, value] : node.members()) {
    if (name == "binary_data_output") request.binary_output = value.flag();
    if (name == "timeout") request.timeout_us = value.whole();
    if (name == "priority") request.priority = value.whole();
  }
}

void encode_stretch(JsonWriter& json, const SharedStretch& shared) {
  json.key("parameters").open('{').field("shared_memory_region", shared.region);
  json.field("shared_memory_offset", shared.offset).field("shared_memory_byte_size", shared.bytes).close('}');
}

}  // namespace

InferRequest decode_infer_request(const BodyView& body) {
  const JsonText text(body.json());
  BinaryReader binary(body.binary());
  InferRequest request;
  std::optional<JsonNode> inputs, outputs;
  for (const auto& [name, value] : text.root().members()) {
    if (name == "id") request.id = value.text();
    if (name == "parameters") read_parameters(value, request);
    if (name == "inputs") inputs = value;
    if (name == "outputs") outputs = value;
  }
  if (!inputs) text.root().refuse("the inputs are missing");
  for (const JsonNode& item : inputs->items()) request.inputs.push_back(input_of(item, binary));
  if (outputs) {
    for (const JsonNode& item : outputs->items()) request.outputs.push_back(output_of(item, request.binary_output));
  }
  binary.finish();
  return request;
}

Body encode(const InferReply& reply) {
  JsonWriter json;
  json.reserve(256);
  std::string bytes;
  json.open('{').field("model_name", reply.model).field("model_version", reply.version);
  if (!reply.id.empty()) json.field("id", reply.id);
  json.key("outputs").open('[');
  for (const InferOutput& output : reply.outputs) {
    if (!output.shared) {
      encode_tensor(json, output.name, output.tensor.view(), output.binary ? &bytes : nullptr);
      continue;
    }
    json.open('{').field("name", output.name).field("datatype", datatype_name(output.tensor.dtype()));
    json.key("shape").values(output.tensor.shape().dims());
    encode_stretch(json, *output.shared);
    json.close('}');
  }
  return body_of(std::move(json.close(']').close('}')), bytes);
}

}  // namespace skerry::wire
