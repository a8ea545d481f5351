// x (1 + erf(x / sqrt 2)) / 2, in whatever order it was multiplied, becomes Gelu; so does the form with tanh.
#include <algorithm>
#include <numbers>

#include "passes/pass.hpp"
#include "passes/tensor/matcher.hpp"

namespace skerry::passes {
namespace {

bool close(double value, double wanted) {
  return std::abs(value - wanted) <= 1e-5 * std::abs(wanted);
}

// x where `id` is erf(x / sqrt 2).
ValueId of_erf(const Matcher& match, ValueId id) {
  const Node* erf = match.made_by(id, "Erf");
  if (erf == nullptr) return kNoValue;
  const auto inner = match.product(erf->inputs[0]);
  return inner.values.size() == 1 && close(inner.factor, 1 / std::numbers::sqrt2) ? inner.values[0] : kNoValue;
}

// x where `id` is tanh(sqrt(2 / pi) (x + 0.044715 x^3)).
ValueId of_tanh(const Matcher& match, ValueId id) {
  const Node* tanh = match.made_by(id, "Tanh");
  if (tanh == nullptr) return kNoValue;
  const auto inner = match.product(tanh->inputs[0]);
  if (inner.values.size() != 1 || !close(inner.factor, std::sqrt(2 / std::numbers::pi))) return kNoValue;
  const Node* sum = match.made_by(inner.values[0], "Add");
  if (sum == nullptr) return kNoValue;
  for (const std::size_t side : {std::size_t{0}, std::size_t{1}}) {
    const ValueId x = sum->inputs[side];
    const auto cubic = match.product(sum->inputs[1 - side]);
    if (!close(cubic.factor, 0.044715)) continue;
    const Node* power = cubic.values.size() == 1 ? match.made_by(cubic.values[0], "Pow") : nullptr;
    if (power != nullptr && power->inputs[0] == x && match.is_number(power->inputs[1], 3.0)) return x;
    if (cubic.values.size() == 3 && std::ranges::all_of(cubic.values, [x](ValueId v) { return v == x; })) return x;
  }
  return kNoValue;
}

Graph fuse_gelu(const Graph& graph) {
  Graph output = graph;
  const Matcher match(graph);
  for (NodeId id = 0; id < graph.nodes().size(); ++id) {
    if (graph.node(id).op != "Mul") continue;
    const ValueId y = graph.node(id).outputs[0];
    const auto whole = match.product(y);
    if (whole.values.size() != 2 || whole.factor != 0.5) continue;
    for (const std::size_t side : {std::size_t{0}, std::size_t{1}}) {
      const ValueId x = whole.values[side], bell = match.plus_number(whole.values[1 - side], 1.0);
      const bool exact = of_erf(match, bell) == x, other = !exact && of_tanh(match, bell) == x;
      if (bell == kNoValue || match.width(x, 0) < 0 || (!exact && !other)) continue;
      Node gelu{.op = "Gelu", .name = graph.node(id).name, .inputs = {x}, .outputs = {y}};
      if (other) gelu.set("approximate", std::string("tanh"));
      output.edit_node(id) = std::move(gelu);
      break;
    }
  }
  return output;
}

}  // namespace

extern const GraphPass fuse_gelu_pass;
const GraphPass fuse_gelu_pass = {
    .name = "fuse_gelu",
    .help = "Recognises x (1 + erf(x / sqrt 2)) / 2 and its form with tanh as Gelu.",
    .run = fuse_gelu,
};

}  // namespace skerry::passes
