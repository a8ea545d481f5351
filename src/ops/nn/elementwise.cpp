#include "ops/nn/elementwise.hpp"

#include <algorithm>
#include <string>

#include "ops/nn/kernel_rows.hpp"
#include "ops/nn/typing.hpp"

namespace skerry::ops {
namespace {

using kernels::Binary;
using kernels::ElementwiseChain;
using kernels::ElementwiseStep;
using kernels::Unary;

// Functions that have vectors; `costly` ones take longer than their way through the cache.
struct FunctionRow {
  std::string_view op;
  bool pair;
  Unary one;
  Binary two;
  bool costly = false;
  double alpha = 0.0, beta = 0.0;  ///< what the attributes are without being written
};
constexpr FunctionRow one(std::string_view op, Unary f, bool costly = false, double alpha = 0.0, double beta = 0.0) {
  return {op, false, f, Binary::add, costly, alpha, beta};
}
constexpr FunctionRow two(std::string_view op, Binary f) {
  return {op, true, Unary::relu, f};
}
constexpr std::string_view kTanhGelu = "Gelu tanh";
constexpr FunctionRow kRows[] = {
    one("Abs", Unary::abs_),
    one("Ceil", Unary::ceil_),
    one("Erf", Unary::erf_, true),
    one("Exp", Unary::exp_, true),
    one("Floor", Unary::floor_),
    one("Gelu", Unary::gelu, true),
    one(kTanhGelu, Unary::gelu_tanh, true),
    one("HardSigmoid", Unary::hard_sigmoid, false, 0.2F, 0.5),
    one("HardSwish", Unary::hard_swish),
    one("LeakyRelu", Unary::leaky_relu, false, 0.01F),
    one("Neg", Unary::neg),
    one("Reciprocal", Unary::reciprocal),
    one("Relu", Unary::relu),
    one("Round", Unary::round_),
    one("Sigmoid", Unary::sigmoid, true),
    one("Sqrt", Unary::sqrt_),
    one("Tanh", Unary::tanh_, true),
    two("Add", Binary::add),
    two("Div", Binary::div),
    two("Max", Binary::maximum),
    two("Min", Binary::minimum),
    two("Mul", Binary::mul),
    two("Sub", Binary::sub),
};

const FunctionRow* row_of(std::string_view op) {
  const auto* const row = std::ranges::find(kRows, op, &FunctionRow::op);
  return row == std::end(kRows) ? nullptr : row;
}

template <class T>
std::vector<T> list(const Node& node, std::string_view name) {
  const Attribute* const attribute = node.find(name);
  const auto* const found = attribute == nullptr ? nullptr : std::get_if<std::vector<T>>(attribute);
  return found == nullptr ? std::vector<T>() : *found;
}

// A package may hold anything, so all that the kernel relies on is looked at.
std::vector<ElementwiseStep> steps_of(const Node& node) {
  const auto functions = list<std::string>(node, "functions");
  const auto operands = node.integers("operands");
  const auto parameters = list<double>(node, "parameters");
  if (node.inputs.empty() || node.inputs.size() > ElementwiseChain::kMostInputs || functions.empty() ||
      functions.size() > ElementwiseChain::kMostSteps || operands.size() != 2 * functions.size() ||
      parameters.size() != 2 * functions.size() || std::ranges::count(node.inputs, kNoValue) > 0)
    refuse(node, "the chain has " + std::to_string(node.inputs.size()) + " inputs, " +
                     std::to_string(functions.size()) + " functions, " + std::to_string(operands.size()) +
                     " operands and " + std::to_string(parameters.size()) + " parameters");
  std::vector<ElementwiseStep> steps;
  for (std::size_t i = 0; i < functions.size(); ++i) {
    const FunctionRow* const row = row_of(functions[i]);
    if (row == nullptr) refuse(node, "a chain has no function '" + functions[i] + "'");
    const auto operand = [&](std::size_t k) {
      const std::int64_t at = operands[2 * i + k];
      if (at < 0 || at >= static_cast<std::int64_t>(node.inputs.size() + i))
        refuse(node, "function " + std::to_string(i) + " of the chain has operand " + std::to_string(at));
      return static_cast<std::size_t>(at);
    };
    steps.push_back({.pair = row->pair,
                     .one = row->one,
                     .parameters = {parameters[2 * i], parameters[2 * i + 1]},
                     .two = row->two,
                     .a = operand(0),
                     .b = row->pair ? operand(1) : 0});
  }
  return steps;
}

void infer(TypeContext& context) {
  steps_of(context.node);
  std::optional<Dims> shape = input(context, 0).shape;
  for (std::size_t i = 0; i < context.inputs.size(); ++i) {
    require(context, i, kernels::Types<float>{});
    shape = broadcast(context.node, shape, input(context, i).shape);
  }
  set_output(context, 0, DType::f32, std::move(shape));
}

Cost can(const Node& node, const NodeTypes& types) {
  std::vector<kernels::Work> work = stream_all(types);
  const auto count = static_cast<double>(elements(types.outputs[0]));
  double costly = 0.0, light = 0.0;
  for (const std::string& function : list<std::string>(node, "functions")) {
    (row_of(function)->costly ? costly : light) += 1.0;
  }
  work.push_back({kernels::Rate::transcendental, costly * count});
  work.push_back({kernels::Rate::stream_cached, light * count * sizeof(float)});
  return work;
}

Prepared prepare(const Node& node, const NodeTypes& types) {
  std::vector<Shape> shapes;
  for (const TensorType& type : types.inputs) shapes.push_back(*type.static_shape());
  const ElementwiseChain chain(steps_of(node), *types.outputs[0].static_shape(), shapes);
  return {[chain](const KernelArguments& a) { chain.run(a.inputs, a.outputs[0]); }};
}

constexpr KernelRow kKernels[] = {{"elementwise_tiles", can, prepare}};

}  // namespace

std::optional<ElementwiseFunction> elementwise_function(const Node& node) {
  const bool tanh = node.op == "Gelu" && node.text("approximate", "none") == "tanh";
  const FunctionRow* const row = row_of(tanh ? kTanhGelu : std::string_view(node.op));
  // An `axis` of an older opset places the second input, which a chain cannot.
  if (row == nullptr || node.inputs.size() != (row->pair ? 2U : 1U) || node.find("axis") != nullptr)
    return std::nullopt;
  return ElementwiseFunction{row->op, row->pair, {node.real("alpha", row->alpha), node.real("beta", row->beta)}};
}

extern const OpRecord elementwise_record;
constexpr OpRecord elementwise_record = {
    .name = "skerry.Elementwise",
    .help =
        "A chain of element-wise functions that a pass put together, computed tile by tile: functions names them, "
        "operands gives each two (an input, or the number of inputs plus a step before it), parameters two numbers. "
        "Inputs f32, stretched to the result's shape as NumPy does.",
    .inputs = 1,
    .infer = infer,
    .kernels = kKernels,
    .in_place_input = 0,
};
static_assert(elementwise_record.name == kElementwise);

}  // namespace skerry::ops
