#include "cli/programs.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <memory>

#include "base/file.hpp"
#include "data/npy.hpp"
#include "package/keys.hpp"

namespace skerry::cli {
namespace {

template <class T>
T parse_number(const std::string& flag, std::string_view text, const std::string& hint) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) {
    throw Error(ErrorCode::invalid_argument, "'" + std::string(text) + "' is not a number that fits", flag, hint);
  }
  return value;
}

// Nothing is a scalar: `x=`.
std::vector<std::int64_t> parse_dims(const std::string& flag, std::string_view text) {
  std::vector<std::int64_t> dims;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t comma = std::min(text.find(',', begin), text.size());
    dims.push_back(parse_number<std::int64_t>(flag, text.substr(begin, comma - begin), "write it as NAME=1,3,224,224"));
    if (dims.back() < 0) {
      throw Error(ErrorCode::invalid_argument, "extent " + std::to_string(dims.back()) + " is below zero", flag);
    }
    begin = comma + 1;
    if (comma + 1 == text.size()) throw Error(ErrorCode::invalid_argument, "the last extent is missing", flag);
  }
  return dims;
}

// A name that no input has is a slip of the pen, not a wish to ignore it.
void check_input_name(const Graph& graph, const std::string& flag, const std::string& name) {
  std::string names;
  for (const ValueId id : graph.inputs()) {
    if (graph.value(id).name == name) return;
    names += (names.empty() ? "" : ", ") + graph.value(id).name;
  }
  throw Error(ErrorCode::invalid_argument, "the model has no input '" + name + "'", flag, "its inputs are " + names);
}

}  // namespace

std::pair<std::string, std::string> split_assignment(const std::string& flag, const std::string& text) {
  const std::size_t equals = text.find('=');
  if (equals == std::string::npos || equals == 0) {
    throw Error(ErrorCode::invalid_argument, "'" + text + "' is not NAME=VALUE", flag,
                "write the name, an equals sign and the value, without spaces");
  }
  return {text.substr(0, equals), text.substr(equals + 1)};
}

std::pair<std::string, std::string> split_file(const std::string& flag, const std::string& text) {
  auto [name, file] = split_assignment(flag, text);
  if (file.empty())
    throw Error(ErrorCode::invalid_argument, "'" + text + "' names no file", flag, "write NAME=FILE.npy");
  return {std::move(name), std::move(file)};
}

void ProgramFlags::declare(const Command& command) {
  command
      .add_option("file", file,
                  "OpenQASM, Blackbird, JSON gate list, ONNX, Skerry text or .skerry package; - for standard input")
      .type_name("")
      .required();
  command.add_option("--trust", trusted, "Accept only packages signed by this public key; again for each")
      .type_name("FILE.pub");
}

Program ProgramFlags::load() const {
  LoadOptions options;
  for (const std::string& key : trusted) options.trusted.push_back(package::read_public_key(key));
  if (file.empty())
    throw Error(ErrorCode::invalid_argument, "the name is empty", "file", "name a file, or - for standard input");
  if (file != "-") return skerry::load(file, options);
  return loads(base::read_file("/dev/stdin", options.limits.max_text_bytes), options, "<stdin>");
}

void InputFlags::declare(const Command& command) {
  const auto add = [&command](const char* flag, std::vector<std::string>& target, const char* form, const char* help) {
    command.add_option(flag, target, help).type_name(form);
  };
  add("--input", inputs, "NAME=FILE.npy", "Input of a model; again for each");
  add("--shape", shapes, "NAME=1,3,224,224", "Shape of a model's input where no file tells it; again for each");
  add("--param", parameters, "NAME=VALUE", "Parameter of a circuit, angles in radians; again for each");
  command.add_option("--noise", noise, "Noise model of a circuit").type_name("FILE.json");
}

NamedTensors InputFlags::tensors() const {
  NamedTensors tensors;
  for (const std::string& input : inputs) {
    const auto [name, path] = split_file("--input", input);
    tensors.emplace_back(name, data::read_npy(path));
  }
  return tensors;
}

void InputFlags::check(const Program& program) const {
  if (const auto* graph = std::get_if<Graph>(&program)) {
    if (!parameters.empty()) {
      throw Error(ErrorCode::invalid_argument, "a model takes no parameters", "--param", "give --input NAME=FILE.npy");
    }
    if (!noise.empty()) {
      throw Error(ErrorCode::invalid_argument, "a model suffers no noise", "--noise", "leave it out");
    }
    for (const std::string& input : inputs)
      check_input_name(*graph, "--input", split_assignment("--input", input).first);
    for (const std::string& shape : shapes)
      check_input_name(*graph, "--shape", split_assignment("--shape", shape).first);
    return;
  }
  if (!inputs.empty() || !shapes.empty()) {
    throw Error(ErrorCode::invalid_argument, "a circuit takes no tensors", inputs.empty() ? "--shape" : "--input",
                "give --param NAME=VALUE");
  }
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

NamedTensors InputFlags::filled(const Graph& graph) const {
  NamedTensors given = tensors();
  const std::vector<TensorType> wanted = types(graph);
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    const std::string& name = graph.value(graph.inputs()[i]).name;
    if (std::any_of(given.begin(), given.end(), [&](const auto& tensor) { return tensor.first == name; })) continue;
    if (!wanted[i].static_shape() || wanted[i].dtype == DType::string)
      throw Error(ErrorCode::unsupported, "the command line gives tensors of numbers, not " + wanted[i].text(),
                  "input '" + name + "'", "run the model from Python or C++");
    Tensor tensor(wanted[i].dtype, *wanted[i].static_shape());
    if (wanted[i].dtype == DType::f32) {
      auto elements = tensor.mutable_view().as<float>();
      for (std::size_t k = 0; k < elements.size(); ++k) elements[k] = static_cast<float>(k % 17) * 0.125F - 1.0F;
    }
    given.emplace_back(name, std::move(tensor));
  }
  return given;
}

void OutputFlags::declare(const Command& command) {
  command.add_option("--output", outputs, "Write an output of a model; again for each").type_name("NAME=FILE.npy");
}

void OutputFlags::check(const Graph& graph) const {
  std::string known;
  for (const ValueId id : graph.outputs()) known += (known.empty() ? "" : ", ") + graph.value(id).name;
  for (const std::string& output : outputs) {
    const auto [wanted, path] = split_file("--output", output);
    if (std::none_of(graph.outputs().begin(), graph.outputs().end(),
                     [&, &name = wanted](ValueId id) { return graph.value(id).name == name; })) {
      throw Error(ErrorCode::invalid_argument, "the model has no output '" + wanted + "'", "--output",
                  "its outputs are " + known);
    }
  }
}

void OutputFlags::write(const NamedTensors& tensors) const {
  for (const std::string& output : outputs) {
    const auto [wanted, path] = split_file("--output", output);
    for (const auto& [name, tensor] : tensors) {
      if (name == wanted) data::write_npy(path, tensor.view());
    }
  }
}

void AnswerFlags::declare(const Command& command) {
  command.add_option("--observable", observables, "Expectation value to compute, '0.5*Z0 Z1 - X2'; again for each")
      .type_name("SUM");
  command
      .add_option("--amplitude", amplitudes,
                  "Basis state whose amplitude to compute, 0110 with qubit 0 rightmost; again for each")
      .type_name("BITS");
}

void AnswerFlags::apply(const Circuit& circuit, RunOptions& options) const {
  options.amplitudes = amplitudes;
  for (const std::string& text : observables) {
    try {
      options.observables.push_back(Observable::parse(text, circuit.num_wires()));
    } catch (const Error& error) {
      throw error.at("--observable '" + text + "'");
    }
  }
}

void InputFlags::apply(RunOptions& options) const {
  for (const std::string& parameter : parameters) {
    const auto [name, value] = split_assignment("--param", parameter);
    const auto angle = parse_number<double>("--param " + name, value, "give a number in radians");
    if (!std::isfinite(angle)) {
      throw Error(ErrorCode::invalid_argument, "'" + value + "' is not a finite number", "--param " + name,
                  "give a number in radians");
    }
    options.named_parameters[name] = angle;
  }
  if (!noise.empty()) options.noise = std::make_shared<const NoiseModel>(load_noise(noise));  // shared: see RunOptions
}

}  // namespace skerry::cli
