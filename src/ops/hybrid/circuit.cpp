#include "ops/hybrid/circuit.hpp"

#include <array>
#include <skerry/error.hpp>
#include <utility>

#include "ops/nn/op_record.hpp"

namespace skerry {
namespace ops {
namespace {

constexpr std::int64_t kMaxCountedBits = 24;

[[noreturn]] void refuse_circuit(const Node& node, std::string message, std::string hint = {}) {
  throw Error(ErrorCode::semantic_error, std::move(message), node.name.empty() ? "circuit" : node.name,
              std::move(hint));
}

std::int64_t power_of_two(const Node& node, std::int64_t exponent, const char* what) {
  if (exponent > kMaxCountedBits) {
    refuse_circuit(node, "a distribution over " + std::to_string(exponent) + " " + what +
                             " is too large to be a tensor, at most " + std::to_string(kMaxCountedBits) +
                             " are possible");
  }
  return std::int64_t{1} << exponent;
}

void infer(TypeContext& context) {
  const CircuitNode decoded = decode_circuit_node(context.node);
  const auto expected = static_cast<std::int64_t>(decoded.circuit->parameters().size());
  std::vector<Dim> shape;
  DType dtype = DType::f64;
  const TensorType* parameters = context.inputs.empty() ? nullptr : context.inputs[0];
  if (parameters != nullptr) {
    dtype = parameters->dtype;
    if (dtype != DType::f32 && dtype != DType::f64)
      refuse_circuit(context.node, "parameters are " + std::string(dtype_name(dtype)) + ", not f32 or f64");
    if (parameters->shape) {
      const auto& dims = *parameters->shape;
      if (dims.empty() || dims.size() > 2)
        refuse_circuit(context.node, "parameters have type " + parameters->text() + ", not [P] or [batch,P]");
      if (dims.back().is_known() && dims.back().value != expected) {
        refuse_circuit(context.node, "the circuit has " + std::to_string(expected) +
                                         " parameters but the input gives " + std::to_string(dims.back().value));
      }
      shape.assign(dims.begin(), dims.end() - 1);
    }
  } else if (expected != 0) {
    refuse_circuit(context.node, "the circuit has " + std::to_string(expected) + " parameters but no input gives them");
  }
  shape.emplace_back(decoded.row_elements);
  const bool is_ranked = parameters == nullptr || parameters->shape.has_value();
  context.outputs[0] = {dtype, is_ranked ? std::optional(std::move(shape)) : std::nullopt};
}

}  // namespace

extern const OpRecord circuit_record;
const OpRecord circuit_record = {
    .name = "circuit",
    .help =
        "Runs a quantum circuit with the parameters of each row of input 0 and gives expectations of the attribute "
        "`observables`, `probabilities` of the wires, or `counts` as relative frequencies of the bits.",
    .infer = infer,
    .draws = always_draws,
};

CircuitNode decode_circuit_node(const Node& node) {
  CircuitNode out;
  const auto* circuit = node.find("circuit");
  if (circuit == nullptr || !std::holds_alternative<CircuitRef>(*circuit) ||
      std::get<CircuitRef>(*circuit) == nullptr) {
    refuse_circuit(node, "attribute 'circuit' is missing");
  }
  out.circuit = std::get<CircuitRef>(*circuit);
  out.output = node.text("output", "expectations");
  out.options.shots = static_cast<std::uint64_t>(std::max<std::int64_t>(node.integer("shots", 0), 0));
  out.options.seed = static_cast<std::uint64_t>(node.integer("seed", 0));
  out.options.method = node.text("method", "auto");
  out.options.precision =
      node.text("precision", "double") == "single" ? Precision::single_precision : Precision::double_precision;
  if (out.output == "expectations") {
    const auto* observables = node.find("observables");
    if (observables == nullptr || !std::holds_alternative<std::vector<Observable>>(*observables)) {
      refuse_circuit(node, "attribute 'observables' is missing", "give one, or set output to probabilities");
    }
    out.options.observables = std::get<std::vector<Observable>>(*observables);
    out.row_elements = static_cast<std::int64_t>(out.options.observables.size());
  } else if (out.output == "probabilities") {
    out.options.want_probabilities = true;
    for (const std::int64_t wire : node.integers("wires")) {
      if (wire < 0 || wire >= static_cast<std::int64_t>(out.circuit->num_wires()))
        refuse_circuit(node, "wire " + std::to_string(wire) + " does not exist");
      out.options.probability_wires.push_back(static_cast<std::uint32_t>(wire));
    }
    const std::size_t wires =
        out.options.probability_wires.empty() ? out.circuit->num_wires() : out.options.probability_wires.size();
    out.row_elements = power_of_two(node, static_cast<std::int64_t>(wires), "wires");
  } else if (out.output == "counts") {
    if (out.options.shots == 0) refuse_circuit(node, "output counts needs shots above 0");
    const std::uint32_t bits = out.circuit->num_bits() == 0 ? out.circuit->num_wires() : out.circuit->num_bits();
    out.row_elements = power_of_two(node, bits, "bits");
  } else {
    refuse_circuit(node, "unknown output '" + out.output + "'", "use expectations, probabilities or counts");
  }
  return out;
}

}  // namespace ops

ValueId add_circuit(Graph& graph, const Circuit& circuit, ValueId parameters, std::vector<Observable> observables,
                    std::string output_name) {
  Node node;
  node.op = "circuit";
  node.name = output_name;
  if (parameters != kNoValue) node.inputs = {parameters};
  node.set("circuit", std::make_shared<const Circuit>(circuit));
  node.set("observables", std::move(observables));
  const std::array names = {std::move(output_name)};
  return graph.node(graph.add_node(std::move(node), names)).outputs[0];
}

}  // namespace skerry
