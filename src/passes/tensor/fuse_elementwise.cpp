// Element-wise functions one after the other become one step, which a tile at a time goes through:
//
//     y = f(g(x, a), b), where nobody else looks at g's result,      becomes      skerry.Elementwise(x, a, b)
//
// Whatever lies between two functions has the result's shape; what comes from outside is stretched to it.
#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "ops/nn/elementwise.hpp"
#include "passes/pass.hpp"

namespace skerry::passes {
namespace {

using kernels::ElementwiseChain;

// A chain under construction, as its node spells it; operands of steps count from kStepBase while inputs still come.
constexpr std::int64_t kStepBase = 1000;
struct Chain {
  std::vector<ValueId> inputs;
  std::vector<std::string> functions;
  std::vector<std::int64_t> operands;
  std::vector<double> parameters;
};

class ElementwiseFuser {
 public:
  explicit ElementwiseFuser(const Graph& graph)
      : output_(graph), uses_(graph.use_counts()), chains_(graph.nodes().size()), dead_(graph.nodes().size(), 0) {}

  Graph run() {
    for (NodeId id = 0; id < output_.nodes().size(); ++id) chains_[id] = chain_of(id);
    for (NodeId id = 0; id < output_.nodes().size(); ++id) {
      if (dead_[id] == 0 && chains_[id] && chains_[id]->functions.size() > 1) write(id, *chains_[id]);
    }
    output_.compact(dead_);
    return std::move(output_);
  }

 private:
  bool is_chainable(ValueId id) const {
    const TensorType& type = output_.value(id).type;
    return type.dtype == DType::f32 && type.shape.has_value();
  }

  // Whether the chain that makes `id` can go on in one that makes values like `wanted`: nobody else looks at it.
  bool can_join(ValueId id, const TensorType& wanted) const {
    const NodeId producer = output_.value(id).producer;
    if (producer == kNoNode || uses_[id] != 1 || !chains_[producer]) return false;
    return std::ranges::equal(*output_.value(id).type.shape, *wanted.shape,
                              [](const Dim& a, const Dim& b) { return a.same_as(b); });
  }

  // Adds another chain's steps before what comes next, and gives where its result is.
  static std::int64_t append(Chain& chain, const Chain& other) {
    const auto base = static_cast<std::int64_t>(chain.functions.size());
    for (const std::int64_t operand : other.operands) {
      chain.operands.push_back(operand >= kStepBase ? operand + base
                                                    : input_of(chain, other.inputs[static_cast<std::size_t>(operand)]));
    }
    chain.functions.insert(chain.functions.end(), other.functions.begin(), other.functions.end());
    chain.parameters.insert(chain.parameters.end(), other.parameters.begin(), other.parameters.end());
    return kStepBase + static_cast<std::int64_t>(chain.functions.size()) - 1;
  }
  static std::int64_t input_of(Chain& chain, ValueId id) {
    const auto found = std::ranges::find(chain.inputs, id);
    if (found == chain.inputs.end()) chain.inputs.push_back(id);
    return std::ranges::find(chain.inputs, id) - chain.inputs.begin();
  }

  // The chain that ends with a node, with what can join it; the joined are dead.
  std::optional<Chain> chain_of(NodeId id) {
    const Node& node = output_.node(id);
    const auto function = ops::elementwise_function(node);
    if (!function || node.outputs.size() != 1 || !is_chainable(node.outputs[0]) ||
        !std::ranges::all_of(node.inputs, [&](ValueId in) { return in != kNoValue && is_chainable(in); }))
      return std::nullopt;
    Chain chain;
    std::vector<NodeId> joined;
    std::vector<std::int64_t> operands;
    for (const ValueId in : node.inputs) {
      if (can_join(in, output_.value(node.outputs[0]).type)) {
        const NodeId producer = output_.value(in).producer;
        Chain longer = chain;
        const std::int64_t at = append(longer, *chains_[producer]);
        // Room for this function and, at worst, one more input.
        if (longer.functions.size() < ElementwiseChain::kMostSteps &&
            longer.inputs.size() < ElementwiseChain::kMostInputs) {
          chain = std::move(longer);
          operands.push_back(at);
          joined.push_back(producer);
          continue;
        }
      }
      operands.push_back(input_of(chain, in));
    }
    operands.resize(2, 0);
    for (const NodeId producer : joined) dead_[producer] = 1;
    chain.functions.emplace_back(function->spelling);
    chain.operands.insert(chain.operands.end(), operands.begin(), operands.end());
    chain.parameters.insert(chain.parameters.end(), {function->parameters.a, function->parameters.b});
    return chain;
  }

  void write(NodeId id, Chain chain) {
    // An input of the result's shape goes first: its memory may become the result's.
    const std::size_t rank = output_.value(output_.node(id).outputs[0]).type.shape->size();
    const auto full = std::ranges::find_if(chain.inputs, [&](ValueId in) {
      return !output_.value(in).constant && output_.value(in).type.shape->size() == rank;
    });
    const auto first = full == chain.inputs.end() ? 0 : full - chain.inputs.begin();
    if (first > 0) std::swap(chain.inputs[0], *full);
    for (std::int64_t& operand : chain.operands) {
      if (operand >= kStepBase) {
        operand += static_cast<std::int64_t>(chain.inputs.size()) - kStepBase;
      } else if (operand == 0 || operand == first) {
        operand = first - operand;
      }
    }
    const Node& end = output_.node(id);
    Node node{.op = std::string(ops::kElementwise), .name = end.name, .inputs = chain.inputs, .outputs = end.outputs};
    node.set("functions", std::move(chain.functions));
    node.set("operands", std::move(chain.operands));
    node.set("parameters", std::move(chain.parameters));
    output_.edit_node(id) = std::move(node);
  }

  Graph output_;
  const std::vector<std::uint32_t> uses_;
  std::vector<std::optional<Chain>> chains_;
  std::vector<std::uint8_t> dead_;
};

Graph fuse_elementwise(const Graph& graph) {
  return ElementwiseFuser(graph).run();
}

}  // namespace

extern const GraphPass fuse_elementwise_pass;
const GraphPass fuse_elementwise_pass = {
    .name = "fuse_elementwise",
    .help = "Makes chains of element-wise functions one step that goes through them tile by tile in the cache.",
    .run = fuse_elementwise,
};

}  // namespace skerry::passes
