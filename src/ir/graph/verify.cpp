#include "ir/verify.hpp"

#include <skerry/error.hpp>
#include <unordered_map>

namespace skerry::ir {
namespace {

/// How many graphs stand inside each other below and including a subgraph that was verified already.
using Heights = std::unordered_map<const Graph*, std::size_t>;

[[noreturn]] void refuse(std::string where, std::string why) {
  throw Error(ErrorCode::semantic_error, std::move(why), std::move(where));
}

class GraphCheck {
 public:
  GraphCheck(const Graph& graph, std::size_t depth, Heights& heights) : g_(graph), depth_(depth), heights_(heights) {}

  /// Gives the number of graphs inside each other, this one included.
  std::size_t check() {
    is_defined_.assign(g_.values().size(), 0);
    for (const ValueId id : g_.inputs()) {
      need_value("graph inputs", id);
      const Value& value = g_.value(id);
      if (is_defined_[id] != 0) refuse(place(id), "an input twice");
      if (value.producer != kNoNode || value.constant) refuse(place(id), "an input that is also made inside the graph");
      is_defined_[id] = 1;
    }
    for (ValueId id = 0; id < g_.values().size(); ++id) check_value(id);
    for (NodeId id = 0; id < g_.nodes().size(); ++id) check_node(id);
    for (ValueId id = 0; id < g_.values().size(); ++id) {
      if (is_defined_[id] == 0) refuse(place(id), "neither an input, nor a constant, nor an output of a node");
    }
    for (const ValueId id : g_.outputs()) need_value("graph outputs", id);
    return height_;
  }

 private:
  std::string place(ValueId id) const {
    return g_.value(id).name.empty() ? "value " + std::to_string(id) : g_.value(id).name;
  }
  std::string place(const Node& node, NodeId id) const {
    return node.name.empty() ? node.op + " (node " + std::to_string(id) + ")" : node.name;
  }
  void need_value(const std::string& where, ValueId id) const {
    if (id >= g_.values().size()) {
      refuse(where, "value " + std::to_string(id) + " of " + std::to_string(g_.values().size()));
    }
  }

  void check_value(ValueId id) {
    const Value& value = g_.value(id);
    check_type(id, value.type);
    if (value.producer != kNoNode && value.producer >= g_.nodes().size()) {
      refuse(place(id), "made by a node that does not exist");
    }
    if (!value.constant) return;
    if (value.producer != kNoNode) refuse(place(id), "a constant that is also made by a node");
    const Tensor& tensor = *value.constant;
    if (TensorType::of(tensor.dtype(), tensor.shape()) != value.type) {
      refuse(place(id), "a constant of type " + TensorType::of(tensor.dtype(), tensor.shape()).text() +
                            " in a value of type " + value.type.text());
    }
    check_elements(place(id), tensor);
    is_defined_[id] = 1;
  }

  static void check_elements(const std::string& where, const Tensor& tensor) {
    if (tensor.dtype() == DType::string) refuse(where, "a constant tensor of strings");
    if (tensor.view().empty() && tensor.view().bytes() != 0) refuse(where, "a constant without elements");
  }

  void check_type(ValueId id, const TensorType& type) const {
    if (type.wraps.size() > kMaxWraps) {
      refuse(place(id),
             std::to_string(type.wraps.size()) + " types inside each other, at most " + std::to_string(kMaxWraps));
    }
    if (!type.shape) return;
    if (type.shape->size() > static_cast<std::size_t>(Shape::kMaxRank)) {
      refuse(place(id), std::to_string(type.shape->size()) + " axes, at most " + std::to_string(Shape::kMaxRank));
    }
    for (const Dim& dim : *type.shape) {
      if (dim.value < -1 || (dim.is_known() && !dim.symbol.empty())) {
        refuse(place(id), "an extent that is neither a number, nor a name, nor unknown");
      }
    }
  }

  void check_node(NodeId id) {
    const Node& node = g_.node(id);
    const std::string where = place(node, id);
    if (node.op.empty()) refuse(where, "a node without an operator");
    for (const ValueId input : node.inputs) {
      if (input == kNoValue) continue;
      need_value(where, input);
      if (is_defined_[input] == 0) refuse(where, "uses '" + place(input) + "' before it is made");
    }
    for (const ValueId output : node.outputs) {
      if (output == kNoValue) continue;
      need_value(where, output);
      if (is_defined_[output] != 0) refuse(where, "makes '" + place(output) + "', which is made already");
      if (g_.value(output).producer != id) refuse(where, "makes '" + place(output) + "', which names another node");
      is_defined_[output] = 1;
    }
    for (std::size_t i = 0; i < node.attributes.size(); ++i) {
      if (i > 0 && node.attributes[i - 1].first >= node.attributes[i].first) {
        refuse(where, "attribute '" + node.attributes[i].first + "' is not in order or is there twice");
      }
      check_attribute(node, where, node.attributes[i]);
    }
  }

  void check_attribute(const Node& node, const std::string& where, const std::pair<std::string, Attribute>& attribute) {
    const std::string here = where + ":" + attribute.first;
    if (const auto* tensor = std::get_if<Tensor>(&attribute.second)) check_elements(here, *tensor);
    if (const auto* circuit = std::get_if<CircuitRef>(&attribute.second)) {
      if (*circuit == nullptr) refuse(here, "a circuit that is not there");
      try {
        verify(**circuit);
      } catch (const Error& e) {
        throw e.at(here);
      }
    }
    if (const auto* subgraph = std::get_if<Subgraph>(&attribute.second)) {
      if (*subgraph == nullptr) refuse(here, "a subgraph that is not there");
      const std::size_t passed = node.inputs.size() - (node.op == "If" && !node.inputs.empty() ? 1 : 0);
      if ((*subgraph)->inputs().size() != passed) {
        refuse(here, "a subgraph of " + std::to_string((*subgraph)->inputs().size()) + " inputs is passed " +
                         std::to_string(passed));
      }
      check_subgraph(here, **subgraph);
    }
  }

  void check_subgraph(const std::string& here, const Graph& graph) {
    // Subgraphs may be shared, so each is verified once; its height stands for all that is below it.
    auto found = heights_.find(&graph);
    if (found == heights_.end()) {
      if (depth_ >= kMaxNesting) too_deep(here);
      try {
        found = heights_.emplace(&graph, GraphCheck(graph, depth_ + 1, heights_).check()).first;
      } catch (const Error& e) {
        throw depth_ > 4 ? Error(e) : e.at(here);  // a few names say where; 256 would bury the reason
      }
    }
    height_ = std::max(height_, found->second + 1);
    if (depth_ + found->second > kMaxNesting) too_deep(here);
  }
  [[noreturn]] static void too_deep(const std::string& here) {
    refuse(here, "subgraphs nest deeper than " + std::to_string(kMaxNesting));
  }

  const Graph& g_;
  std::size_t depth_;
  std::size_t height_ = 1;
  Heights& heights_;
  std::vector<std::uint8_t> is_defined_;
};

}  // namespace

void verify(const Graph& graph) {
  Heights heights;
  GraphCheck(graph, 1, heights).check();
}

}  // namespace skerry::ir
