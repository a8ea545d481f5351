#include "passes/quant/channels.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <numeric>
#include <string_view>
#include <utility>

namespace skerry::passes::quant {
namespace {

constexpr std::array<std::string_view, 24> kSame = {
    "Abs",           "AveragePool", "Celu",      "Clip",     "Dropout",
    "Elu",           "Erf",         "Exp",       "Gelu",     "GlobalAveragePool",
    "GlobalMaxPool", "HardSigmoid", "HardSwish", "Identity", "LeakyRelu",
    "MaxPool",       "Mish",        "Neg",       "Relu",     "Sigmoid",
    "Softplus",      "Softsign",    "Swish",     "Tanh"};
constexpr std::array<std::string_view, 4> kPairs = {"Add", "Div", "Mul", "Sub"};

// Channels of a value lie along axis 1, each `repeat` times: group -1 where it has none that are followed.
struct Axis {
  int group = -1;
  std::int64_t repeat = 1;
};

class Follower {
 public:
  explicit Follower(const Graph& graph) : graph_(graph), of_(graph.values().size()) {}

  std::vector<ChannelGroup> run() {
    for (const ValueId id : graph_.inputs()) freeze(fresh(id));
    for (NodeId id = 0; id < graph_.nodes().size(); ++id) {
      node_ = id;
      visit(graph_.node(id));
    }
    for (const ValueId id : graph_.outputs()) freeze(of_[id].group);
    check_shared();
    return collected();
  }

 private:
  struct Group {
    ChannelGroup content;
    bool frozen = false;
  };

  int find(int group) const {
    while (group >= 0 && parent_[static_cast<std::size_t>(group)] != group)
      group = parent_[static_cast<std::size_t>(group)];
    return group;
  }
  Group& at(int group) { return groups_[static_cast<std::size_t>(find(group))]; }
  void freeze(int group) {
    if (group >= 0) at(group).frozen = true;
  }

  int add_group(std::int64_t channels) {
    groups_.push_back({{.channels = channels, .places = {}, .makers = {}, .depthwise = {}, .reshapes = {}}});
    parent_.push_back(static_cast<int>(parent_.size()));
    return parent_.back();
  }

  // A value with channels of its own.
  int fresh(ValueId id) {
    const auto shape = graph_.value(id).type.shape;
    if (!shape || shape->size() < 2 || !(*shape)[1].is_known()) return -1;
    of_[id] = {add_group((*shape)[1].value), 1};
    return of_[id].group;
  }

  bool join(int a, int b) {
    a = find(a), b = find(b);
    if (a < 0 || b < 0) return false;
    if (a == b) return true;
    Group &to = at(a), &from = at(b);
    if (to.content.channels != from.content.channels) return false;
    const auto append = [](auto& into, const auto& more) { into.insert(into.end(), more.begin(), more.end()); };
    append(to.content.places, from.content.places);
    append(to.content.makers, from.content.makers);
    append(to.content.depthwise, from.content.depthwise);
    append(to.content.reshapes, from.content.reshapes);
    to.frozen = to.frozen || from.frozen;
    parent_[static_cast<std::size_t>(b)] = a;
    return true;
  }

  bool is_constant(ValueId id) const { return id != kNoValue && graph_.value(id).constant.has_value(); }
  ValueId input(const Node& node, std::size_t index) const {
    return index < node.inputs.size() ? node.inputs[index] : kNoValue;
  }
  Shape shape_of(ValueId id) const { return graph_.value(id).constant->shape(); }

  void place(int group, ValueId value, std::int64_t axis, std::int64_t repeat = 1) {
    at(group).content.places.push_back({value, axis, repeat});
  }

  // Everything that this node touches stays whole.
  void give_up(const Node& node) {
    for (const ValueId id : node.inputs)
      if (id != kNoValue) freeze(of_[id].group);
    for (const ValueId id : node.outputs)
      if (id != kNoValue && of_[id].group < 0) freeze(fresh(id));
  }

  void visit(const Node& node) {
    const bool done = node.op == "Conv"                                    ? convolution(node)
                      : node.op == "Gemm" || node.op == "MatMul"           ? product(node)
                      : node.op == "BatchNormalization"                    ? normalisation(node)
                      : node.op == "Flatten" || node.op == "Reshape"       ? flatten(node)
                      : std::ranges::find(kPairs, node.op) != kPairs.end() ? pair(node)
                      : std::ranges::find(kSame, node.op) != kSame.end()   ? same(node)
                                                                           : false;
    if (!done) give_up(node);
  }

  bool same(const Node& node) {
    for (std::size_t i = 1; i < node.inputs.size(); ++i)
      if (node.inputs[i] != kNoValue && !is_constant(node.inputs[i])) return false;
    of_[node.outputs[0]] = of_[node.inputs[0]];
    return of_[node.outputs[0]].group >= 0 && node.outputs.size() == 1;
  }

  // A vector of one number per channel, as bias, or nothing at all.
  bool takes_vector(ValueId id, std::int64_t channels) const {
    return id == kNoValue || (is_constant(id) && shape_of(id).elements() == channels && shape_of(id).rank() <= 1);
  }

  bool convolution(const Node& node) {
    const ValueId x = input(node, 0), w = input(node, 1), bias = input(node, 2);
    const int from = of_[x].group;
    if (from < 0 || of_[x].repeat != 1 || !is_constant(w) || node.inputs.size() > 3) return false;
    const Shape shape = shape_of(w);
    const std::int64_t groups = node.integer("group", 1);
    if (!takes_vector(bias, shape[0])) return false;
    if (groups == 1) {
      const int to = fresh(node.outputs[0]);
      if (to < 0 || at(to).content.channels != shape[0] || at(from).content.channels != shape[1]) return false;
      place(from, w, 1);
      place(to, w, 0);
      if (bias != kNoValue) place(to, bias, 0);
      at(to).content.makers.push_back(node_);
      return true;
    }
    if (groups != shape[0] || shape[1] != 1 || at(from).content.channels != groups) return false;
    of_[node.outputs[0]] = of_[x];
    place(from, w, 0);
    if (bias != kNoValue) place(from, bias, 0);
    at(from).content.makers.push_back(node_);
    at(from).content.depthwise.push_back(node_);
    return true;
  }

  bool product(const Node& node) {
    const ValueId x = input(node, 0), w = input(node, 1), bias = input(node, 2);
    const Axis from = of_[x];
    if (from.group < 0 || !is_constant(w) || shape_of(w).rank() != 2 || node.integer("transA", 0) != 0) return false;
    const auto& x_shape = graph_.value(x).type.shape;
    if (!x_shape || x_shape->size() != 2) return false;
    const bool turned = node.op == "Gemm" && node.integer("transB", 0) != 0;
    const std::int64_t depth = shape_of(w)[turned ? 1 : 0], outputs = shape_of(w)[turned ? 0 : 1];
    if (at(from.group).content.channels * from.repeat != depth || !takes_vector(bias, outputs)) return false;
    const int to = fresh(node.outputs[0]);
    if (to < 0) return false;
    place(from.group, w, turned ? 1 : 0, from.repeat);
    place(to, w, turned ? 0 : 1);
    if (bias != kNoValue) place(to, bias, 0);
    at(to).content.makers.push_back(node_);
    return true;
  }

  bool normalisation(const Node& node) {
    if (node.outputs.size() != 1 || node.inputs.size() != 5 || of_[node.inputs[0]].group < 0) return false;
    const Axis axis = of_[node.inputs[0]];
    const std::int64_t channels = at(axis.group).content.channels;
    for (std::size_t i = 1; i < 5; ++i)
      if (axis.repeat != 1 || node.inputs[i] == kNoValue || !takes_vector(node.inputs[i], channels)) return false;
    for (std::size_t i = 1; i < 5; ++i) place(axis.group, node.inputs[i], 0);
    of_[node.outputs[0]] = axis;
    return true;
  }

  bool pair(const Node& node) {
    const ValueId a = input(node, 0), b = input(node, 1), y = node.outputs[0];
    if (node.find("axis") != nullptr) return false;
    if (is_constant(a) || is_constant(b)) return with_constant(is_constant(a) ? b : a, is_constant(a) ? a : b, y);
    const auto &first = graph_.value(a).type.shape, &second = graph_.value(b).type.shape;
    const bool alike = first && second && first->size() == second->size() && (*first)[1] == (*second)[1];
    if (!alike || of_[a].repeat != of_[b].repeat || !join(of_[a].group, of_[b].group)) return false;
    of_[y] = of_[a];
    return true;
  }

  bool with_constant(ValueId x, ValueId c, ValueId y) {
    if (of_[x].group < 0) return false;
    const Shape shape = shape_of(c);
    const auto rank = static_cast<int>(graph_.value(x).type.shape->size());
    const int axis = 1 - (rank - shape.rank());  // where the channels are in the constant
    if (shape.rank() > rank) return false;
    if (axis >= 0 && shape[axis] != 1) {
      if (shape[axis] != at(of_[x].group).content.channels * of_[x].repeat) return false;
      place(of_[x].group, c, axis, of_[x].repeat);
    }
    of_[y] = of_[x];
    return true;
  }

  // [N, C, ...] becomes [N, C * ...].
  bool flatten(const Node& node) {
    const ValueId x = input(node, 0), y = node.outputs[0];
    const auto &from = graph_.value(x).type.shape, &to = graph_.value(y).type.shape;
    const Axis axis = of_[x];
    if (axis.group < 0 || axis.repeat != 1 || !from || !to || to->size() != 2 || from->size() < 2) return false;
    std::int64_t each = 1;
    for (std::size_t i = 2; i < from->size(); ++i) {
      if (!(*from)[i].is_known()) return false;
      each *= (*from)[i].value;
    }
    if (!(*to)[1].is_known() || (*to)[1].value != at(axis.group).content.channels * each) return false;
    if (node.op == "Flatten" && node.integer("axis", 1) != 1) return false;
    if (node.op == "Reshape") {
      const ValueId shape = input(node, 1);
      if (!is_constant(shape) || graph_.value(shape).constant->dtype() != DType::i64) return false;
      const auto dims = graph_.value(shape).constant->as<std::int64_t>();
      if (dims[0] == -1 && dims[1] != (*to)[1].value) return false;
      at(axis.group).content.reshapes.push_back(node_);
    }
    of_[y] = {axis.group, each};
    return true;
  }

  // A constant that is read elsewhere too would change for the others.
  void check_shared() {
    const auto uses = graph_.use_counts();
    for (Group& group : groups_) {
      std::map<std::pair<ValueId, std::int64_t>, std::uint32_t> found;
      for (const ChannelPlace& p : group.content.places)
        if (++found[{p.value, p.axis}] > 1 || uses[p.value] != 1) group.frozen = true;
    }
  }

  std::vector<ChannelGroup> collected() {
    std::vector<ChannelGroup> out;
    for (int id = 0; id < static_cast<int>(groups_.size()); ++id) {
      const Group& group = groups_[static_cast<std::size_t>(id)];
      if (find(id) == id && !group.frozen && !group.content.makers.empty() && group.content.channels > 1)
        out.push_back(group.content);
    }
    return out;
  }

  const Graph& graph_;
  NodeId node_ = 0;
  std::vector<Axis> of_;  ///< by ValueId
  std::vector<Group> groups_;
  std::vector<int> parent_;
};

}  // namespace

std::vector<ChannelGroup> channel_groups(const Graph& graph) {
  return Follower(graph).run();
}

}  // namespace skerry::passes::quant
