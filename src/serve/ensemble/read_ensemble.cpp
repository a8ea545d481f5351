#include <algorithm>
#include <charconv>
#include <set>

#include "serve/ensemble/config_text.hpp"
#include "serve/ensemble/ensemble.hpp"
#include "wire/tensors.hpp"

namespace skerry::serve {
namespace {

constexpr std::size_t kMostSteps = 64, kMostTensors = 256, kMostDims = 16, kMostLetters = 128;

std::string line_of(const std::string& where, const ConfigField& field) {
  return where + ":" + std::to_string(field.line);
}

// The value of a field that stands there once at most.
const ConfigField* only(const std::vector<ConfigField>& fields, std::string_view name, const std::string& where) {
  const ConfigField* found = nullptr;
  for (const ConfigField& field : fields) {
    if (field.name != name) continue;
    if (found != nullptr)
      throw Error(ErrorCode::invalid_argument, "'" + field.name + "' stands there twice", line_of(where, field));
    found = &field;
  }
  return found;
}

std::string name_in(const ConfigField& field, const std::string& where) {
  const bool is_plain = field.is_string && !field.text.empty() && field.text.size() <= kMostLetters &&
                        std::all_of(field.text.begin(), field.text.end(), [](char c) { return c > ' ' && c < 127; });
  if (is_plain) return field.text;
  throw Error(ErrorCode::invalid_argument, "'" + field.name + "' wants a name in quotes, of 1 to 128 letters",
              line_of(where, field));
}

std::int64_t number_in(const ConfigField& field, std::int64_t least, const std::string& where) {
  std::int64_t value = 0;
  const char* end = field.text.data() + field.text.size();
  const auto [stop, error] = std::from_chars(field.text.data(), end, value);
  if (!field.is_string && !field.is_message && error == std::errc() && stop == end && value >= least &&
      value <= INT32_MAX)
    return value;
  throw Error(ErrorCode::invalid_argument,
              "'" + field.name + "' wants a whole number from " + std::to_string(least) + " on", line_of(where, field));
}

void only_known(const std::vector<ConfigField>& fields, std::initializer_list<std::string_view> known,
                const std::string& where) {
  for (const ConfigField& field : fields) {
    if (std::find(known.begin(), known.end(), field.name) != known.end()) continue;
    throw Error(ErrorCode::unsupported, "'" + field.name.substr(0, kMostLetters) + "' means nothing here",
                line_of(where, field));
  }
}

const ConfigField& needed(const std::vector<ConfigField>& fields, std::string_view name, const ConfigField& of,
                          const std::string& where) {
  const ConfigField* found = only(fields, name, where);
  if (found == nullptr)
    throw Error(ErrorCode::invalid_argument, "'" + of.name + "' has no '" + std::string(name) + "'",
                line_of(where, of));
  return *found;
}

EnsembleTensor tensor_in(const ConfigField& field, std::int64_t max_rows, const std::string& where) {
  only_known(field.fields, {"name", "data_type", "dims"}, where);
  EnsembleTensor tensor{
      .name = name_in(needed(field.fields, "name", field, where), where), .shape = {}, .where = line_of(where, field)};
  const ConfigField& type = needed(field.fields, "data_type", field, where);
  if (!type.text.starts_with("TYPE_"))
    throw Error(ErrorCode::invalid_argument, "'data_type' wants TYPE_FP32 or another of these", line_of(where, type));
  const std::string_view word = std::string_view(type.text).substr(5, 16);
  tensor.dtype = wire::dtype_of_datatype(word == "STRING" ? "BYTES" : word, line_of(where, type));
  if (max_rows > 0) tensor.shape.push_back(-1);
  for (const ConfigField& dim : field.fields) {
    if (dim.name == "dims") tensor.shape.push_back(number_in(dim, -1, where));
  }
  if (tensor.shape.size() > kMostDims) throw Error(ErrorCode::limit_exceeded, "more than 16 extents", tensor.where);
  return tensor;
}

std::map<std::string, std::string> map_in(const ConfigField& step, std::string_view name, const std::string& where) {
  std::map<std::string, std::string> map;
  for (const ConfigField& entry : step.fields) {
    if (entry.name != name) continue;
    only_known(entry.fields, {"key", "value"}, where);
    const std::string key = name_in(needed(entry.fields, "key", entry, where), where);
    if (!map.emplace(key, name_in(needed(entry.fields, "value", entry, where), where)).second)
      throw Error(ErrorCode::invalid_argument, "'" + key + "' stands in the map twice", line_of(where, entry));
  }
  return map;
}

EnsembleStep step_in(const ConfigField& field, const std::string& where) {
  only_known(field.fields, {"model_name", "model_version", "input_map", "output_map"}, where);
  EnsembleStep step{.model = name_in(needed(field.fields, "model_name", field, where), where),
                    .version = {},
                    .inputs = map_in(field, "input_map", where),
                    .outputs = map_in(field, "output_map", where),
                    .where = line_of(where, field)};
  if (const ConfigField* version = only(field.fields, "model_version", where)) {
    const std::int64_t wanted = number_in(*version, -1, where);
    if (wanted > 0) step.version = std::to_string(wanted);
  }
  return step;
}

}  // namespace

std::optional<EnsembleConfig> read_ensemble(std::string_view text, const std::string& where) {
  const std::vector<ConfigField> fields = parse_config(text, where);
  const ConfigField* scheduling = only(fields, "ensemble_scheduling", where);
  const ConfigField* platform = only(fields, "platform", where);
  if (scheduling == nullptr && (platform == nullptr || platform->text != "ensemble")) return std::nullopt;
  if (scheduling == nullptr)
    throw Error(ErrorCode::invalid_argument, "an ensemble without 'ensemble_scheduling'", line_of(where, *platform));
  // Others of Triton's fields say how its backends run a model: an ensemble has none.
  only_known(fields,
             {"name", "platform", "backend", "max_batch_size", "input", "output", "ensemble_scheduling",
              "version_policy", "parameters", "model_warmup"},
             where);
  only_known(scheduling->fields, {"step"}, where);
  EnsembleConfig config;
  if (const ConfigField* rows = only(fields, "max_batch_size", where)) config.max_rows = number_in(*rows, 0, where);
  for (const ConfigField& field : fields) {
    if (field.name == "input") config.inputs.push_back(tensor_in(field, config.max_rows, where));
    if (field.name == "output") config.outputs.push_back(tensor_in(field, config.max_rows, where));
  }
  for (const ConfigField& step : scheduling->fields) config.steps.push_back(step_in(step, where));
  if (config.inputs.empty() || config.outputs.empty() || config.steps.empty())
    throw Error(ErrorCode::invalid_argument, "an ensemble needs input, output and step", line_of(where, *scheduling));
  if (config.steps.size() > kMostSteps || config.inputs.size() > kMostTensors || config.outputs.size() > kMostTensors)
    throw Error(ErrorCode::limit_exceeded, "more than 64 steps, or 256 inputs or outputs", line_of(where, *scheduling));
  for (const auto* tensors : {&config.inputs, &config.outputs}) {
    std::set<std::string_view> names;
    for (const EnsembleTensor& tensor : *tensors) {
      if (!names.insert(tensor.name).second)
        throw Error(ErrorCode::invalid_argument, "'" + tensor.name + "' is named twice", tensor.where);
    }
  }
  return config;
}

}  // namespace skerry::serve
