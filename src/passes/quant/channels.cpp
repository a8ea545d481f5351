#include "passes/quant/channels.hpp"

#include <algorithm>
#include <array>
#include <numeric>
#include <set>
#include <string_view>
#include <tuple>
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

// Channels of a value lie along axis 1, each `repeat` times: those of the groups one after the other, none where they
// are not followed.
struct Axis {
  std::vector<int> groups = {};
  std::int64_t repeat = 1;
};

class Follower {
 public:
  explicit Follower(const Graph& graph) : graph_(graph), of_(graph.values().size()) {}

  std::vector<ChannelGroup> run() {
    for (const ValueId id : graph_.inputs()) {
      fresh(id);
      freeze(of_[id]);
    }
    for (NodeId id = 0; id < graph_.nodes().size(); ++id) {
      node_ = id;
      visit(graph_.node(id));
    }
    for (const ValueId id : graph_.outputs()) freeze(of_[id]);
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
  void freeze(const Axis& axis) {
    for (const int group : axis.groups) at(group).frozen = true;
  }
  std::int64_t channels_of(const Axis& axis) {
    std::int64_t sum = 0;
    for (const int group : axis.groups) sum += at(group).content.channels;
    return sum;
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
    of_[id] = {{add_group((*shape)[1].value)}, 1};
    return of_[id].groups[0];
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

  void place(int group, ValueId value, std::int64_t axis) { at(group).content.places.push_back({value, axis, 1, 0}); }
  void place(const Axis& channels, ValueId value, std::int64_t axis) {
    std::int64_t begin = 0;
    for (const int group : channels.groups) {
      at(group).content.places.push_back({value, axis, channels.repeat, begin});
      begin += at(group).content.channels * channels.repeat;
    }
  }

  // Everything that this node touches stays whole.
  void give_up(const Node& node) {
    for (const ValueId id : node.inputs)
      if (id != kNoValue) freeze(of_[id]);
    for (const ValueId id : node.outputs)
      if (id != kNoValue && of_[id].groups.empty()) {
        fresh(id);
        freeze(of_[id]);
      }
  }

  void visit(const Node& node) {
    const bool done = node.op == "Conv"                                    ? convolution(node)
                      : node.op == "Gemm" || node.op == "MatMul"           ? product(node)
                      : node.op == "BatchNormalization"                    ? normalisation(node)
                      : node.op == "Flatten" || node.op == "Reshape"       ? flatten(node)
                      : node.op == "Concat"                                ? concatenation(node)
                      : std::ranges::find(kPairs, node.op) != kPairs.end() ? pair(node)
                      : std::ranges::find(kSame, node.op) != kSame.end()   ? same(node)
                                                                           : false;
    if (!done) give_up(node);
  }

  bool same(const Node& node) {
    for (std::size_t i = 1; i < node.inputs.size(); ++i)
      if (node.inputs[i] != kNoValue && !is_constant(node.inputs[i])) return false;
    of_[node.outputs[0]] = of_[node.inputs[0]];
    return !of_[node.outputs[0]].groups.empty() && node.outputs.size() == 1;
  }

  // Each part keeps its groups; who reads all of them has their channels one after the other.
  bool concatenation(const Node& node) {
    const auto& shape = graph_.value(node.outputs[0]).type.shape;
    const std::int64_t axis = node.integer("axis", 0);
    if (!shape || (axis < 0 ? axis + static_cast<std::int64_t>(shape->size()) : axis) != 1) return false;
    Axis all;
    for (const ValueId part : node.inputs) {
      const Axis& own = of_[part];
      if (own.groups.empty() || own.repeat != 1) return false;
      all.groups.insert(all.groups.end(), own.groups.begin(), own.groups.end());
    }
    of_[node.outputs[0]] = std::move(all);
    return true;
  }

  // A vector of one number per channel, as bias, or nothing at all.
  bool takes_vector(ValueId id, std::int64_t channels) const {
    return id == kNoValue || (is_constant(id) && shape_of(id).elements() == channels && shape_of(id).rank() <= 1);
  }

  bool convolution(const Node& node) {
    const ValueId x = input(node, 0), w = input(node, 1), bias = input(node, 2);
    const Axis from = of_[x];
    if (from.groups.empty() || from.repeat != 1 || !is_constant(w) || node.inputs.size() > 3) return false;
    const Shape shape = shape_of(w);
    const std::int64_t groups = node.integer("group", 1);
    if (!takes_vector(bias, shape[0])) return false;
    if (groups == 1) {
      const int to = fresh(node.outputs[0]);
      if (to < 0 || at(to).content.channels != shape[0] || channels_of(from) != shape[1]) return false;
      place(from, w, 1);
      place(to, w, 0);
      if (bias != kNoValue) place(to, bias, 0);
      at(to).content.makers.push_back(node_);
      return true;
    }
    // What follows channels one by one has a number of them as its attribute: of one group alone.
    if (from.groups.size() != 1 || groups != shape[0] || shape[1] != 1 || channels_of(from) != groups) return false;
    of_[node.outputs[0]] = from;
    place(from, w, 0);
    if (bias != kNoValue) place(from, bias, 0);
    at(from.groups[0]).content.makers.push_back(node_);
    at(from.groups[0]).content.depthwise.push_back(node_);
    return true;
  }

  bool product(const Node& node) {
    const ValueId x = input(node, 0), w = input(node, 1), bias = input(node, 2);
    const Axis from = of_[x];
    if (from.groups.empty() || !is_constant(w) || shape_of(w).rank() != 2 || node.integer("transA", 0) != 0)
      return false;
    const auto& x_shape = graph_.value(x).type.shape;
    if (!x_shape || x_shape->size() != 2) return false;
    const bool turned = node.op == "Gemm" && node.integer("transB", 0) != 0;
    const std::int64_t depth = shape_of(w)[turned ? 1 : 0], outputs = shape_of(w)[turned ? 0 : 1];
    if (channels_of(from) * from.repeat != depth || !takes_vector(bias, outputs)) return false;
    const int to = fresh(node.outputs[0]);
    if (to < 0) return false;
    place(from, w, turned ? 1 : 0);
    place(to, w, turned ? 0 : 1);
    if (bias != kNoValue) place(to, bias, 0);
    at(to).content.makers.push_back(node_);
    return true;
  }

  bool normalisation(const Node& node) {
    if (node.outputs.size() != 1 || node.inputs.size() != 5 || of_[node.inputs[0]].groups.empty()) return false;
    const Axis axis = of_[node.inputs[0]];
    const std::int64_t channels = channels_of(axis);
    for (std::size_t i = 1; i < 5; ++i)
      if (axis.repeat != 1 || node.inputs[i] == kNoValue || !takes_vector(node.inputs[i], channels)) return false;
    for (std::size_t i = 1; i < 5; ++i) place(axis, node.inputs[i], 0);
    of_[node.outputs[0]] = axis;
    return true;
  }

  bool pair(const Node& node) {
    const ValueId a = input(node, 0), b = input(node, 1), y = node.outputs[0];
    if (node.find("axis") != nullptr) return false;
    if (is_constant(a) || is_constant(b)) return with_constant(is_constant(a) ? b : a, is_constant(a) ? a : b, y);
    const auto &first = graph_.value(a).type.shape, &second = graph_.value(b).type.shape;
    const bool alike = first && second && first->size() == second->size() && (*first)[1] == (*second)[1];
    const Axis &left = of_[a], &right = of_[b];
    if (!alike || left.repeat != right.repeat || left.groups.size() != right.groups.size() || left.groups.empty())
      return false;
    for (std::size_t i = 0; i < left.groups.size(); ++i)
      if (!join(left.groups[i], right.groups[i])) return false;
    of_[y] = of_[a];
    return true;
  }

  bool with_constant(ValueId x, ValueId c, ValueId y) {
    if (of_[x].groups.empty()) return false;
    const Shape shape = shape_of(c);
    const auto rank = static_cast<int>(graph_.value(x).type.shape->size());
    const int axis = 1 - (rank - shape.rank());  // where the channels are in the constant
    if (shape.rank() > rank) return false;
    if (axis >= 0 && shape[axis] != 1) {
      if (shape[axis] != channels_of(of_[x]) * of_[x].repeat) return false;
      place(of_[x], c, axis);
    }
    of_[y] = of_[x];
    return true;
  }

  // [N, C, ...] becomes [N, C * ...].
  bool flatten(const Node& node) {
    const ValueId x = input(node, 0), y = node.outputs[0];
    const auto &from = graph_.value(x).type.shape, &to = graph_.value(y).type.shape;
    const Axis axis = of_[x];
    if (axis.groups.empty() || axis.repeat != 1 || !from || !to || to->size() != 2 || from->size() < 2) return false;
    std::int64_t each = 1;
    for (std::size_t i = 2; i < from->size(); ++i) {
      if (!(*from)[i].is_known()) return false;
      each *= (*from)[i].value;
    }
    if (!(*to)[1].is_known() || (*to)[1].value != channels_of(axis) * each) return false;
    if (node.op == "Flatten" && node.integer("axis", 1) != 1) return false;
    if (node.op == "Reshape") {
      const ValueId shape = input(node, 1);
      if (!is_constant(shape) || graph_.value(shape).constant->dtype() != DType::i64) return false;
      const auto dims = graph_.value(shape).constant->as<std::int64_t>();
      if (dims[0] == -1 && dims[1] != (*to)[1].value) return false;
      for (const int group : axis.groups) at(group).content.reshapes.push_back(node_);
    }
    of_[y] = {axis.groups, each};
    return true;
  }

  // A constant that is read elsewhere too would change for the others.
  void check_shared() {
    const auto uses = graph_.use_counts();
    for (Group& group : groups_) {
      std::set<std::tuple<ValueId, std::int64_t, std::int64_t>> found;
      for (const ChannelPlace& p : group.content.places)
        if (!found.emplace(p.value, p.axis, p.begin).second || uses[p.value] != 1) group.frozen = true;
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
