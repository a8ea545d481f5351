#include "serve/grpc/messages.hpp"

#include <google/protobuf/struct.pb.h>
#include <google/protobuf/util/json_util.h>

namespace skerry::serve::grpc_door {
namespace {

// What is refused is so by the same rules as in HTTP's JSON; the first refusal is told.
void refuse(Refusal& refusal, Refusal with) {
  if (refusal.message.empty()) refusal = std::move(with);
}

std::uint64_t whole(const inference::InferParameter& parameter, const std::string& where, Refusal& refusal) {
  if (parameter.has_uint64_param()) return parameter.uint64_param();
  if (parameter.has_int64_param() && parameter.int64_param() >= 0)
    return static_cast<std::uint64_t>(parameter.int64_param());
  refuse(refusal, {.message = "a whole number from 0 on is wanted", .where = where, .hint = {}});
  return 0;
}

// What stands in the parameters of a tensor.
template <class Parameters>
Stretch stretch_of(const Parameters& parameters, const std::string& tensor, Refusal& refusal) {
  Stretch out;
  for (const auto& [name, value] : parameters) {
    const std::string where = tensor + " " + name;
    if (name == "shared_memory_region") {
      out.region = value.string_param();
      if (out.region.empty())
        refuse(refusal, {.message = "the name of a region is wanted", .where = where, .hint = {}});
    }
    if (name == "shared_memory_offset") out.offset = whole(value, where, refusal);
    if (name == "shared_memory_byte_size") out.bytes = whole(value, where, refusal);
    if (name == "classification" && whole(value, where, refusal) != 0)
      refuse(refusal, {true, "classification is not supported", where, "ask for the output itself"});
  }
  return out;
}

template <class To, class List>
void append(std::string& bytes, const List& list) {
  for (const auto value : list) {
    const auto small = static_cast<To>(value);
    bytes.append(reinterpret_cast<const char*>(&small), sizeof small);
  }
}

// Typed elements as the raw bytes of the input's datatype; a list of another type is left empty and refused by its
// size.
std::string bytes_of(const inference::InferTensorContents& contents, std::string_view datatype) {
  std::string bytes;
  if (datatype == "BOOL") append<bool>(bytes, contents.bool_contents());
  if (datatype == "INT8") append<std::int8_t>(bytes, contents.int_contents());
  if (datatype == "INT16") append<std::int16_t>(bytes, contents.int_contents());
  if (datatype == "INT32") append<std::int32_t>(bytes, contents.int_contents());
  if (datatype == "INT64") append<std::int64_t>(bytes, contents.int64_contents());
  if (datatype == "UINT8") append<std::uint8_t>(bytes, contents.uint_contents());
  if (datatype == "UINT16") append<std::uint16_t>(bytes, contents.uint_contents());
  if (datatype == "UINT32") append<std::uint32_t>(bytes, contents.uint_contents());
  if (datatype == "UINT64") append<std::uint64_t>(bytes, contents.uint64_contents());
  if (datatype == "FP32") append<float>(bytes, contents.fp32_contents());
  if (datatype == "FP64") append<double>(bytes, contents.fp64_contents());
  for (const std::string& text : contents.bytes_contents()) {
    if (datatype != "BYTES") break;
    const auto length = static_cast<std::uint32_t>(text.size());  // a message has less than 2^31
    bytes.append(reinterpret_cast<const char*>(&length), sizeof length).append(text);
  }
  return bytes;
}

// Settings of tracing and logging as JSON objects; protobuf's own `Struct` is one.
using google::protobuf::Struct;
using google::protobuf::Value;

std::string json_of(const Struct& settings) {
  std::string json;
  return google::protobuf::util::MessageToJsonString(settings, &json).ok() ? json : "{}";
}

// Of loading and unloading.
template <class Request>
std::string moving_json(const Request& request) {
  Struct all;
  if (!request.repository_name().empty())
    (*all.mutable_fields())["repository_name"].set_string_value(request.repository_name());
  for (const auto& [name, parameter] : request.parameters()) {
    Struct& own = *(*all.mutable_fields())["parameters"].mutable_struct_value();
    Value& value = (*own.mutable_fields())[name];
    value.set_string_value(parameter.string_param());  // of bytes the name is enough: HTTP refuses it
    if (parameter.has_bool_param()) value.set_bool_value(parameter.bool_param());
  }
  return all.fields().empty() ? std::string() : json_of(all);
}

}  // namespace

InferRequest request_of(const inference::ModelInferRequest& message, std::string_view key) {
  InferRequest request{
      .model = message.model_name(), .version = message.model_version(), .id = message.id(), .key = key};
  request.arrived = std::chrono::steady_clock::now();
  int sent = 0;  // inputs whose elements are in the message
  for (const auto& tensor : message.inputs()) {
    Input& input = request.inputs.emplace_back();
    input.name = tensor.name();
    input.datatype = tensor.datatype();
    input.shape.assign(tensor.shape().begin(), tensor.shape().end());
    input.shared = stretch_of(tensor.parameters(), "input '" + tensor.name() + "'", request.refusal);
    if (!input.shared.region.empty()) continue;
    ++sent;
    // An empty message of contents, which some clients send beside raw ones, says nothing.
    const bool has_typed = tensor.has_contents() && tensor.contents().ByteSizeLong() > 0;
    if (message.raw_input_contents_size() == 0) {
      input.own = bytes_of(tensor.contents(), tensor.datatype());
    } else if (has_typed) {
      refuse(request.refusal, {.message = "its elements come both typed and, by raw_input_contents, raw",
                               .where = "input '" + tensor.name() + "'",
                               .hint = "send all inputs the one way or the other"});
    } else if (sent <= message.raw_input_contents_size()) {
      input.bytes = message.raw_input_contents(sent - 1);
    }
  }
  if (const int raw = message.raw_input_contents_size(); raw > 0 && raw != sent)
    refuse(request.refusal, {.message = std::to_string(raw) + " raw contents for " + std::to_string(sent) + " inputs",
                             .where = "raw_input_contents",
                             .hint = "send one for each input that is not in shared memory"});
  for (const auto& output : message.outputs())
    request.outputs.push_back(
        {output.name(), stretch_of(output.parameters(), "output '" + output.name() + "'", request.refusal)});
  for (const auto& [name, value] : message.parameters()) {
    if (name == "timeout") request.timeout_us = whole(value, name, request.refusal);
    if (name == "priority") request.priority = whole(value, name, request.refusal);
  }
  return request;
}

void fill(inference::ModelInferResponse& message, const InferReply& reply, const std::string& id) {
  message.set_model_name(reply.model);
  message.set_model_version(reply.version);
  message.set_id(id);
  for (const Output& output : reply.outputs) {
    auto& tensor = *message.add_outputs();
    tensor.set_name(output.name);
    tensor.set_datatype(std::string(output.datatype));
    for (const std::int64_t dim : output.shape) tensor.add_shape(dim);
    if (output.shared.region.empty()) {
      const std::string_view bytes = output.own.empty() ? output.bytes : output.own;
      message.add_raw_output_contents(bytes.data(), bytes.size());
      continue;
    }
    auto& parameters = *tensor.mutable_parameters();
    parameters["shared_memory_region"].set_string_param(output.shared.region);
    parameters["shared_memory_offset"].set_int64_param(static_cast<std::int64_t>(output.shared.offset));
    parameters["shared_memory_byte_size"].set_int64_param(static_cast<std::int64_t>(output.shared.bytes));
  }
}

std::string region_json(const inference::SystemSharedMemoryRegisterRequest& request) {
  google::protobuf::util::JsonPrintOptions names;
  names.preserve_proto_field_names = true;
  inference::SystemSharedMemoryRegisterRequest plain;
  plain.set_key(request.key());
  std::string json;
  if (!google::protobuf::util::MessageToJsonString(plain, &json, names).ok() || json.size() < 3)
    json = "{\"key\":\"\"}";
  json.pop_back();  // numbers of 64 bits would be printed as texts
  return json + ",\"offset\":" + std::to_string(request.offset()) +
         ",\"byte_size\":" + std::to_string(request.byte_size()) + "}";
}

std::string repository_json(const inference::RepositoryIndexRequest& request) {
  Struct all;
  if (request.ready()) (*all.mutable_fields())["ready"].set_bool_value(true);
  if (!request.repository_name().empty())
    (*all.mutable_fields())["repository_name"].set_string_value(request.repository_name());
  return json_of(all);
}

std::string repository_json(const inference::RepositoryModelLoadRequest& request) {
  return moving_json(request);
}

std::string repository_json(const inference::RepositoryModelUnloadRequest& request) {
  return moving_json(request);
}

std::string settings_json(const inference::TraceSettingRequest& request) {
  Struct all;
  for (const auto& [name, setting] : request.settings()) {
    Value& value = (*all.mutable_fields())[name];
    value.set_null_value({});  // no value: it is to be as it was at first
    for (const std::string& one : setting.value()) value.mutable_list_value()->add_values()->set_string_value(one);
  }
  return request.settings().empty() ? std::string() : json_of(all);
}

std::string settings_json(const inference::LogSettingsRequest& request) {
  Struct all;
  for (const auto& [name, setting] : request.settings()) {
    Value& value = (*all.mutable_fields())[name];
    value.set_null_value({});
    if (setting.has_bool_param()) value.set_bool_value(setting.bool_param());
    if (setting.has_uint32_param()) value.set_number_value(setting.uint32_param());
    if (setting.has_string_param()) value.set_string_value(setting.string_param());
  }
  return request.settings().empty() ? std::string() : json_of(all);
}

bool convert(const std::string& json, google::protobuf::Message& response) {
  google::protobuf::util::JsonParseOptions lenient;
  lenient.ignore_unknown_fields = true;
  return google::protobuf::util::JsonStringToMessage(json, &response, lenient).ok();
}

bool convert(const std::string& json, inference::TraceSettingResponse& response) {
  Struct all;
  if (!google::protobuf::util::JsonStringToMessage(json, &all).ok()) return false;
  for (const auto& [name, value] : all.fields()) {
    auto& setting = (*response.mutable_settings())[name];
    if (value.has_string_value()) setting.add_value(value.string_value());
    for (const Value& one : value.list_value().values()) setting.add_value(one.string_value());
  }
  return true;
}

bool convert(const std::string& json, inference::LogSettingsResponse& response) {
  Struct all;
  if (!google::protobuf::util::JsonStringToMessage(json, &all).ok()) return false;
  for (const auto& [name, value] : all.fields()) {
    auto& setting = (*response.mutable_settings())[name];
    if (value.has_bool_value()) setting.set_bool_param(value.bool_value());
    if (value.has_number_value()) setting.set_uint32_param(static_cast<std::uint32_t>(value.number_value()));
    if (value.has_string_value()) setting.set_string_param(value.string_value());
  }
  return true;
}

}  // namespace skerry::serve::grpc_door
