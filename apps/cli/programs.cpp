#include "cli/programs.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>

#include "base/file.hpp"
#include "data/npy.hpp"
#include "package/keys.hpp"

namespace skerry::cli {
namespace {

template <class T>
T parse_number(const std::string& flag, std::string_view text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) {
    throw Error(ErrorCode::invalid_argument, "'" + std::string(text) + "' is not a number", flag);
  }
  return value;
}

std::vector<std::int64_t> parse_dims(const std::string& flag, std::string_view text) {
  std::vector<std::int64_t> dims;
  while (!text.empty()) {
    const std::size_t comma = std::min(text.find(','), text.size());
    dims.push_back(parse_number<std::int64_t>(flag, text.substr(0, comma)));
    text.remove_prefix(std::min(comma + 1, text.size()));
  }
  return dims;
}

}  // namespace

std::pair<std::string, std::string> split_assignment(const std::string& flag, const std::string& text) {
  const std::size_t equals = text.find('=');
  if (equals == std::string::npos || equals == 0) {
    throw Error(ErrorCode::invalid_argument, "'" + text + "' is not name=value", flag);
  }
  return {text.substr(0, equals), text.substr(equals + 1)};
}

void ProgramFlags::declare(CLI::App& command) {
  command
      .add_option("file", file, "OpenQASM, JSON gate list, ONNX, Skerry text or .skerry package; - for standard input")
      ->required();
  command.add_option("--trust", trusted, "Accept only packages signed by this public key; again for each");
}

Program ProgramFlags::load() const {
  LoadOptions options;
  for (const std::string& key : trusted) options.trusted.push_back(package::read_public_key(key));
  if (file != "-") return skerry::load(file, options);
  return loads(base::read_file("/dev/stdin", options.limits.max_text_bytes), options, "<stdin>");
}

void InputFlags::declare(CLI::App& command) {
  command.add_option("--input", inputs, "Input of a model as NAME=FILE.npy; again for each");
  command.add_option("--shape", shapes,
                     "Shape of a model's input as NAME=1,3,224,224, where no file tells it; again for each");
  command.add_option("--param", parameters, "Parameter of a circuit as NAME=VALUE; again for each");
}

NamedTensors InputFlags::tensors() const {
  NamedTensors tensors;
  for (const std::string& input : inputs) {
    const auto [name, path] = split_assignment("--input", input);
    tensors.emplace_back(name, data::read_npy(path));
  }
  return tensors;
}

std::vector<TensorType> InputFlags::types(const Graph& graph) const {
  const NamedTensors given = tensors();
  std::vector<TensorType> types;
  for (const ValueId id : graph.inputs()) {
    const Value& value = graph.value(id);
    TensorType type = value.type;
    if (!type.shape) type.shape.emplace();
    for (Dim& dim : *type.shape) dim = dim.is_known() ? dim : Dim(1);
    for (const auto& [name, tensor] : given) {
      if (name == value.name) type = TensorType::of(tensor.dtype(), tensor.shape());
    }
    for (const std::string& shape : shapes) {
      const auto [name, dims] = split_assignment("--shape", shape);
      if (name == value.name) type = TensorType::of(value.type.dtype, Shape(parse_dims("--shape", dims)));
    }
    types.push_back(std::move(type));
  }
  return types;
}

void InputFlags::apply(RunOptions& options) const {
  for (const std::string& parameter : parameters) {
    const auto [name, value] = split_assignment("--param", parameter);
    options.named_parameters[name] = parse_number<double>("--param", value);
  }
}

}  // namespace skerry::cli
