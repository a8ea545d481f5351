#include "passes/grad/grad.hpp"

#include <algorithm>
#include <array>
#include <skerry/compile.hpp>
#include <skerry/error.hpp>

#include "ops/nn/op_record.hpp"
#include "passes/grad/rules.hpp"

namespace skerry::passes::grad {
namespace {

struct Row {
  std::string_view op;
  void (*rule)(Rule&);
};

constexpr std::array kRows{
#define SKERRY_GRADIENT(op, rule) Row{#op, rule##_rule},
#include "passes/grad/gradients.def"
#undef SKERRY_GRADIENT
};

constexpr std::array kOperators{
#define SKERRY_GRADIENT(op, rule) std::string_view(#op),
#include "passes/grad/gradients.def"
#undef SKERRY_GRADIENT
};

bool is_real(const TensorType& type) {
  return type.dtype == DType::f32 || type.dtype == DType::f64;
}

class Differentiation {
 public:
  Differentiation(const Graph& graph, std::span<const std::string> by) : graph_(graph), by_(by) {}

  Graph run() {
    mark();
    const std::vector<ValueId> outputs = graph_.outputs();
    const auto nodes = static_cast<NodeId>(graph_.nodes().size());
    cotangents_.assign(graph_.values().size(), kNoValue);
    for (const ValueId output : outputs) {
      const Value& value = graph_.value(output);
      if (!is_real(value.type))
        throw Error(ErrorCode::unsupported, "an output of " + value.type.text(), value.name,
                    "differentiate outputs of f32 or f64");
      add(output, graph_.add_input("grad:" + value.name, value.type));
    }
    for (NodeId id = nodes; id-- > 0;) step(id);
    for (const ValueId id : ids_) graph_.mark_output(result(id));
    ops::infer_types(graph_);
    return std::move(graph_);
  }

 private:
  /// wanted_: values on a way from `by`; their cotangents are computed.
  void mark() {
    wanted_.assign(graph_.values().size(), 0);
    for (const std::string& name : by_) {
      const auto& inputs = graph_.inputs();
      const auto found = std::ranges::find_if(inputs, [&](ValueId id) { return graph_.value(id).name == name; });
      if (found == inputs.end())
        throw Error(ErrorCode::not_found, "no input is called '" + name + "'", "differentiation",
                    "name inputs of the graph");
      if (!is_real(graph_.value(*found).type))
        throw Error(ErrorCode::unsupported, "an input of " + graph_.value(*found).type.text(), name,
                    "differentiate by inputs of f32 or f64");
      wanted_[*found] = 1;
      ids_.push_back(*found);
    }
    for (const Value& value : graph_.values())
      if (!value.type.static_shape())
        throw Error(ErrorCode::type_mismatch, "the shape of '" + value.name + "' is not known", "differentiation",
                    "specialize the graph for concrete input types first");
    for (const Node& node : graph_.nodes()) {
      const bool reached =
          std::ranges::any_of(node.inputs, [this](ValueId id) { return id != kNoValue && wanted_[id] != 0; });
      for (const ValueId id : node.outputs)
        if (reached && id != kNoValue && is_real(graph_.value(id).type)) wanted_[id] = 1;
    }
  }

  void step(NodeId id) {
    const Node& node = graph_.node(id);
    ValueId cotangent = kNoValue;
    for (const ValueId output : node.outputs)
      if (output != kNoValue && wanted_[output] != 0 && cotangents_[output] != kNoValue) {
        if (output != node.outputs[0] || cotangent != kNoValue) refuse(node, "has several outputs");
        cotangent = cotangents_[output];
      }
    if (cotangent == kNoValue) return;
    const auto row = std::ranges::find(kRows, node.op, &Row::op);
    if (row == kRows.end()) refuse(node, "has no derivative");
    Rule rule(graph_, id, cotangent, wanted_);
    row->rule(rule);
    for (std::size_t i = 0; i < rule.given().size(); ++i)
      if (rule.given()[i] != kNoValue && rule.wants(i)) add(rule.x(i), rule.given()[i]);
  }

  [[noreturn]] static void refuse(const Node& node, const std::string& what) {
    std::string known;
    for (const std::string_view op : kOperators) known.append(known.empty() ? "" : ", ").append(op);
    throw Error(ErrorCode::unsupported, node.op + " " + what, node.name, "operators with a derivative: " + known);
  }

  void add(ValueId value, ValueId cotangent) {
    ValueId& sum = cotangents_[value];
    sum = sum == kNoValue ? cotangent : graph_.add("Add", {sum, cotangent}, fresh());
  }

  /// The cotangent of an input as a value of its own, zeros where nothing depends on it.
  ValueId result(ValueId id) {
    const Value value = graph_.value(id);
    ValueId from = cotangents_[id];
    if (from == kNoValue) from = graph_.add_constant(fresh(), Tensor(value.type.dtype, *value.type.static_shape()));
    return graph_.add("Identity", {from}, "grad:" + value.name, value.type);
  }

  std::string fresh() { return "grad:" + std::to_string(graph_.values().size()); }

  Graph graph_;
  std::span<const std::string> by_;
  std::vector<ValueId> ids_;
  std::vector<std::uint8_t> wanted_;
  std::vector<ValueId> cotangents_;  // of the values of the forward graph
};

}  // namespace

ValueId Rule::op(std::string_view name, std::vector<ValueId> inputs, const Attributes& attributes) {
  Node node;
  node.op = name;
  node.inputs = std::move(inputs);
  for (const auto& [key, value] : attributes) node.set(key, value);
  const std::string output = "grad:" + std::to_string(graph_.values().size());
  return graph_.node(graph_.add_node(std::move(node), std::span(&output, 1))).outputs[0];
}

ValueId Rule::second_output(std::string_view name, std::vector<ValueId> inputs, const Attributes& attributes) {
  Node node;
  node.op = name;
  node.inputs = std::move(inputs);
  for (const auto& [key, value] : attributes) node.set(key, value);
  const std::string first = "grad:" + std::to_string(graph_.values().size());
  const std::array outputs{first, first + ":second"};
  return graph_.node(graph_.add_node(std::move(node), outputs)).outputs[1];
}

ValueId Rule::constant(Tensor tensor) {
  return graph_.add_constant("grad:" + std::to_string(graph_.values().size()), std::move(tensor));
}

ValueId Rule::number(double value) {
  Tensor scalar(graph_.value(y()).type.dtype, Shape{});
  if (scalar.dtype() == DType::f32) {
    scalar.mutable_view().as<float>()[0] = static_cast<float>(value);
  } else {
    scalar.mutable_view().as<double>()[0] = value;
  }
  return constant(std::move(scalar));
}

ValueId Rule::integers(const std::vector<std::int64_t>& values) {
  return graph_.add_constant("grad:" + std::to_string(graph_.values().size()),
                             Tensor::from<std::int64_t>(values, Shape{static_cast<std::int64_t>(values.size())}));
}

ValueId Rule::reshape(ValueId id, const Shape& shape) {
  // allowzero: an extent of 0 is meant as such.
  return op("Reshape", {id, integers({shape.dims().begin(), shape.dims().end()})}, {{"allowzero", std::int64_t{1}}});
}

ValueId Rule::sum_to(ValueId id, const Shape& from, const Shape& to) {
  if (from == to) return id;
  std::vector<std::int64_t> axes;
  const int missing = from.rank() - to.rank();
  for (int axis = 0; axis < from.rank(); ++axis)
    if (axis < missing || (to[axis - missing] == 1 && from[axis] != 1)) axes.push_back(axis);
  const ValueId sum = axes.empty() ? id : op("ReduceSum", {id, integers(axes)}, {{"keepdims", std::int64_t{1}}});
  return missing == 0 ? sum : reshape(sum, to);
}

void Rule::back_broadcast(std::size_t input, ValueId cotangent) {
  back(input, sum_to(cotangent, shape(y()), shape(x(input))));
}

void Rule::refuse(const std::string& what) const {
  throw Error(ErrorCode::unsupported, node_.op + " " + what, node_.name, "write the model in other operators");
}

std::vector<std::int64_t> Rule::constant_integers(std::size_t input) const {
  const std::optional<Tensor>& constant = graph_.value(x(input)).constant;
  if (!constant) refuse("has an input " + std::to_string(input) + " that is known only when it runs");
  const auto values = constant->as<std::int64_t>();
  return {values.begin(), values.end()};
}

Graph differentiate(const Graph& graph, std::span<const std::string> by) {
  return Differentiation(graph, by).run();
}

std::span<const std::string_view> operators() noexcept {
  return kOperators;
}

}  // namespace skerry::passes::grad

namespace skerry {

Graph differentiate(const Graph& graph, std::span<const TensorType> inputs, std::span<const std::string> by) {
  return passes::grad::differentiate(ops::specialize(graph, inputs), by);
}

}  // namespace skerry
