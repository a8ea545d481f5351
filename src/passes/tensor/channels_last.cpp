// Images stand with channels last from the first convolution on, as far as every operator can do with that:
//
//     Conv ─ MaxPool ─ Conv ─ Add ─ Flatten     becomes     Conv' ─ MaxPool' ─ Conv' ─ Add ─ Transpose ─ Flatten
//
// where ' is channels_last. A value is turned only where somebody wants it the other way, once.
#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "passes/pass.hpp"

namespace skerry::passes {
namespace {

// Operators on each element by itself; other inputs than the first are settings.
constexpr std::array<std::string_view, 24> kMaps = {"Abs",
                                                    "Cast",
                                                    "Celu",
                                                    "Clip",
                                                    "com.microsoft.QLinearLeakyRelu",
                                                    "com.microsoft.QLinearSigmoid",
                                                    "Elu",
                                                    "Erf",
                                                    "Exp",
                                                    "Gelu",
                                                    "HardSigmoid",
                                                    "HardSwish",
                                                    "Identity",
                                                    "LeakyRelu",
                                                    "Mish",
                                                    "Neg",
                                                    "Relu",
                                                    "Selu",
                                                    "Sigmoid",
                                                    "Softplus",
                                                    "Softsign",
                                                    "Sqrt",
                                                    "Swish",
                                                    "Tanh"};
constexpr std::array<std::string_view, 6> kPairs = {"Add", "Div", "Max", "Min", "Mul", "Sub"};
constexpr std::array<std::string_view, 5> kPools = {"AveragePool", "GlobalAveragePool", "MaxPool",
                                                    "com.microsoft.QLinearAveragePool",
                                                    "com.microsoft.QLinearGlobalAveragePool"};
// An image of so few channels is turned by the convolution that reads it.
constexpr std::int64_t kFewChannels = 4;

template <class List>
bool has(const List& list, std::string_view op) {
  return std::ranges::find(list, op) != list.end();
}

using Dims = std::vector<Dim>;

// Channels from place 1 to the end, or back.
Dims turned(Dims dims, bool to_last) {
  const Dim channels = to_last ? dims[1] : dims.back();
  dims.erase(to_last ? dims.begin() + 1 : dims.end() - 1);
  dims.insert(to_last ? dims.end() : dims.begin() + 1, channels);
  return dims;
}

Tensor turned_constant(const Tensor& tensor, std::size_t rank) {
  const Shape from = tensor.shape();
  Dims dims(rank - static_cast<std::size_t>(from.rank()), Dim(1));
  for (int axis = 0; axis < from.rank(); ++axis) dims.emplace_back(from[axis]);
  const auto channels = static_cast<std::size_t>(dims[1].value);
  const auto batch = static_cast<std::size_t>(dims[0].value);
  const std::size_t space = batch * channels == 0 ? 0 : static_cast<std::size_t>(from.elements()) / (batch * channels);
  Tensor out(tensor.dtype(), *TensorType{tensor.dtype(), turned(dims, true)}.static_shape());
  const auto size = static_cast<std::size_t>(dtype_bits(tensor.dtype()) / 8);
  const std::byte* source = tensor.view().data();
  std::byte* to = out.mutable_view().data();
  for (std::size_t n = 0; n < batch; ++n) {
    for (std::size_t p = 0; p < space; ++p) {
      for (std::size_t c = 0; c < channels; ++c, to += size)
        std::memcpy(to, source + ((n * channels + c) * space + p) * size, size);
    }
  }
  return out;
}

class Chooser {
 public:
  explicit Chooser(const Graph& graph)
      : from_(graph), planes_(graph.values().size(), kNoValue), last_(graph.values().size(), kNoValue) {}

  Graph run() {
    if (std::ranges::none_of(from_.nodes(), [this](const Node& node) { return is_convolution(node); })) return from_;
    to_.name = from_.name;
    for (const ValueId id : from_.inputs()) planes_[id] = to_.add_input(from_.value(id).name, from_.value(id).type);
    for (const Node& node : from_.nodes()) place(node);
    std::vector<ValueId> outputs;
    for (const ValueId id : from_.outputs()) outputs.push_back(planes(id));
    to_.set_outputs(std::move(outputs));
    return std::move(to_);
  }

 private:
  const Tensor* constant(const Node& node, std::size_t index) const {
    if (index >= node.inputs.size() || node.inputs[index] == kNoValue) return nullptr;
    const auto& value = from_.value(node.inputs[index]).constant;
    return value ? &*value : nullptr;
  }
  bool absent(const Node& node, std::size_t index) const {
    return index >= node.inputs.size() || node.inputs[index] == kNoValue;
  }
  std::size_t rank(ValueId id) const {
    const auto& shape = from_.value(id).type.shape;
    return shape ? shape->size() : 0;
  }
  bool is_image(ValueId id) const { return id != kNoValue && (rank(id) == 3 || rank(id) == 4); }
  bool stands_last(ValueId id) const { return id != kNoValue && last_[id] != kNoValue; }

  // Depthwise: vectors hold channels, or (of reals) a few pixels of few channels.
  static bool has_kernel(const Node& node, const Shape& weights, bool real) {
    const std::int64_t groups = node.integer("group", 1), outputs = weights[0];
    if (weights.elements() == 0) return false;
    if (groups == 1) return true;
    if (groups != outputs || weights[1] != 1) return false;
    const auto strides = node.integers("strides");
    const bool few = (outputs == 4 || outputs == 8) && (!real || strides.empty() || strides.back() == 1);
    return outputs >= 16 || few;
  }

  bool is_real_convolution(const Node& node) const {
    const Tensor* weights = node.op == "Conv" ? constant(node, 1) : nullptr;
    if (weights == nullptr || weights->dtype() != DType::f32) return false;
    if (!absent(node, 2) && constant(node, 2) == nullptr) return false;
    return has_kernel(node, weights->shape(), true);
  }

  // x, x_scale, x_zero, w, w_scale, w_zero, y_scale, y_zero, bias: all but the first constant, the weights' zero points
  // in the middle of their dtype.
  bool is_quantised_convolution(const Node& node) const {
    if (node.op != "QLinearConv") return false;
    for (std::size_t i = 1; i < node.inputs.size(); ++i) {
      if (!absent(node, i) && constant(node, i) == nullptr) return false;
    }
    const Tensor *weights = constant(node, 3), *zero = constant(node, 5);
    if (weights == nullptr || (zero == nullptr && weights->dtype() != DType::i8)) return false;
    if (zero != nullptr) {
      const auto middle = weights->dtype() == DType::i8 ? std::byte{0} : std::byte{128};
      const std::span<const std::byte> zeros(zero->view().data(), zero->view().bytes());
      if (!std::ranges::all_of(zeros, [middle](std::byte z) { return z == middle; })) return false;
    }
    return has_kernel(node, weights->shape(), false);
  }

  bool is_convolution(const Node& node) const {
    if (node.integer("channels_last", 0) != 0 || node.outputs.size() != 1) return false;
    if (!is_real_convolution(node) && !is_quantised_convolution(node)) return false;
    return is_image(node.inputs[0]) && is_image(node.outputs[0]);
  }

  bool is_pool(const Node& node) const {
    const bool indices = node.outputs.size() > 1 && node.outputs[1] != kNoValue;
    if (!has(kPools, node.op) || indices || !stands_last(node.inputs[0])) return false;
    const DType dtype = from_.value(node.inputs[0]).type.dtype;
    if (node.op.starts_with("com.microsoft.")) return true;
    return dtype == DType::f32 || (node.op == "MaxPool" && (dtype == DType::u8 || dtype == DType::i8));
  }

  // Whether a pair's side can be given with channels last, broadcast or not.
  bool turns(ValueId id, std::size_t rank_out) const {
    if (id == kNoValue) return false;
    const auto& value = from_.value(id);
    return value.constant ? rank(id) <= rank_out : rank(id) == rank_out;
  }

  // The two inputs that an operator makes one of, element by element.
  static std::vector<std::size_t> pair_of(const Node& node) {
    if (has(kPairs, node.op) && node.inputs.size() == 2 && node.find("axis") == nullptr) return {0, 1};
    const bool quantised = node.op == "com.microsoft.QLinearAdd" || node.op == "com.microsoft.QLinearMul";
    return quantised && node.inputs.size() > 3 ? std::vector<std::size_t>{0, 3} : std::vector<std::size_t>{};
  }

  bool is_pair(const Node& node) const {
    const auto sides = pair_of(node);
    const std::size_t rank_out = rank(node.outputs[0]);
    return std::ranges::any_of(sides, [&](std::size_t i) { return stands_last(node.inputs[i]); }) &&
           std::ranges::all_of(sides, [&](std::size_t i) { return turns(node.inputs[i], rank_out); });
  }

  bool is_concat(const Node& node) const {
    return node.op == "Concat" && std::ranges::any_of(node.inputs, [&](ValueId id) { return stands_last(id); }) &&
           std::ranges::all_of(node.inputs, [&](ValueId id) { return turns(id, rank(node.outputs[0])); });
  }

  // One scale for the whole tensor.
  bool is_scaled(const Node& node) const {
    if (node.op != "QuantizeLinear" && node.op != "DequantizeLinear") return false;
    const Tensor* scale = constant(node, 1);
    return scale != nullptr && scale->shape().elements() == 1 && node.integer("block_size", 0) == 0 &&
           stands_last(node.inputs[0]);
  }

  void place(const Node& node) {
    if (is_convolution(node)) return convolution(node);
    if (node.outputs.size() == 1 && is_image(node.outputs[0])) {
      if (is_pool(node)) return pool(node);
      if (has(kMaps, node.op) && stands_last(node.inputs[0])) return with_last(node, {0});
      if (is_pair(node)) return with_last(node, pair_of(node));
      if (is_scaled(node)) return with_last(node, {0});
      if (is_concat(node)) return concat(node);
    }
    Node copy = node;
    for (ValueId& id : copy.inputs) id = id == kNoValue ? kNoValue : planes(id);
    add(std::move(copy), planes_, false);
  }

  void convolution(const Node& node) {
    Node copy = node;
    copy.set("channels_last", std::int64_t{1});
    const Dims& x = *from_.value(node.inputs[0]).type.shape;
    const bool few = x[1].is_known() && x[1].value > 1 && x[1].value <= kFewChannels;
    if (few && !stands_last(node.inputs[0]) && node.integer("group", 1) == 1) {
      copy.set("planes_in", std::int64_t{1});
      copy.inputs[0] = planes(node.inputs[0]);
    } else {
      copy.inputs[0] = last(node.inputs[0]);
    }
    for (std::size_t i = 1; i < copy.inputs.size(); ++i) {
      const bool residual = i == 3 && node.op == "Conv";
      if (copy.inputs[i] != kNoValue) copy.inputs[i] = residual ? last(node.inputs[i]) : planes(node.inputs[i]);
    }
    add(std::move(copy), last_, true);
  }

  void pool(const Node& node) {
    Node copy = node;
    copy.set("channels_last", std::int64_t{1});
    with_last(std::move(copy), {0});
  }

  void concat(const Node& node) {
    Node copy = node;
    const auto axes = static_cast<std::int64_t>(rank(node.outputs[0]));
    std::int64_t axis = node.integer("axis", 0);
    axis = axis < 0 ? axis + axes : axis;
    if (axis > 0) axis = axis == 1 ? axes - 1 : axis - 1;
    copy.set("axis", axis);
    std::vector<std::size_t> all(node.inputs.size());
    for (std::size_t i = 0; i < all.size(); ++i) all[i] = i;
    with_last(std::move(copy), all);
  }

  void with_last(Node node, const std::vector<std::size_t>& images) {
    const std::size_t rank_out = rank(node.outputs[0]);
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      const ValueId id = node.inputs[i];
      if (id == kNoValue) continue;
      const bool image = std::ranges::find(images, i) != images.end();
      node.inputs[i] = image ? last(id, rank_out) : planes(id);
    }
    add(std::move(node), last_, true);
  }

  // The node whose inputs are the new graph's and whose outputs are still the old one's.
  void add(Node node, std::vector<ValueId>& place, bool to_last) {
    const std::vector<ValueId> old = std::exchange(node.outputs, {});
    std::vector<std::string> names;
    std::vector<TensorType> types;
    for (const ValueId id : old) {
      names.push_back(id == kNoValue ? "" : from_.value(id).name + (to_last ? ".last" : ""));
      types.push_back(id == kNoValue ? TensorType{} : from_.value(id).type);
      if (to_last && types.back().shape) types.back().shape = turned(*types.back().shape, true);
    }
    const NodeId made = to_.add_node(std::move(node), names, types);
    for (std::size_t i = 0; i < old.size(); ++i) {
      if (old[i] != kNoValue) place[old[i]] = to_.node(made).outputs[i];
    }
  }

  ValueId planes(ValueId id) {
    if (planes_[id] != kNoValue) return planes_[id];
    const Value& value = from_.value(id);
    planes_[id] = value.constant ? to_.add_constant(value.name, *value.constant)
                                 : turn(last_[id], value.name, *value.type.shape, false);
    return planes_[id];
  }

  ValueId last(ValueId id) { return last(id, rank(id)); }
  ValueId last(ValueId id, std::size_t rank_out) {
    if (last_[id] != kNoValue) return last_[id];
    const Value& value = from_.value(id);
    // One number for all stands as it is.
    if (value.constant && value.constant->shape().elements() == 1 && rank(id) < rank_out) return planes(id);
    last_[id] = value.constant ? to_.add_constant(value.name + ".last", turned_constant(*value.constant, rank_out))
                               : turn(planes(id), value.name + ".last", *value.type.shape, true);
    return last_[id];
  }

  // dims: with channels first. Where nothing moves, a Reshape says it without work.
  ValueId turn(ValueId id, const std::string& name, const Dims& dims, bool to_last) {
    const Dims after = to_last ? turned(dims, true) : dims;
    const TensorType type{to_.value(id).type.dtype, after};
    const bool no_space = std::all_of(dims.begin() + 2, dims.end(), [](const Dim& d) { return d == Dim(1); });
    const bool known = std::all_of(dims.begin() + 1, dims.end(), [](const Dim& d) { return d.is_known(); });
    if (known && (no_space || dims[1] == Dim(1))) {
      Tensor shape(DType::i64, {static_cast<std::int64_t>(after.size())});
      const auto extents = shape.mutable_view().as<std::int64_t>();
      for (std::size_t axis = 1; axis < after.size(); ++axis) extents[axis] = after[axis].value;
      extents[0] = 0;  // as it is
      return to_.add("Reshape", {id, to_.add_constant(name + ".shape", std::move(shape))}, name, type);
    }
    std::vector<std::int64_t> order(dims.size());
    for (std::size_t axis = 0; axis < order.size(); ++axis) order[axis] = static_cast<std::int64_t>(axis);
    if (to_last) {
      std::rotate(order.begin() + 1, order.begin() + 2, order.end());
    } else {
      std::rotate(order.begin() + 1, order.end() - 1, order.end());
    }
    const ValueId made = to_.add("Transpose", {id}, name, type);
    to_.edit_node(to_.value(made).producer).set("perm", std::move(order));
    return made;
  }

  const Graph& from_;
  Graph to_;
  std::vector<ValueId> planes_, last_;  ///< of each old value: the new one with channels first, with channels last
};

Graph lay_channels_last(const Graph& graph) {
  return Chooser(graph).run();
}

}  // namespace

extern const GraphPass channels_last_pass;
const GraphPass channels_last_pass = {
    .name = "channels_last",
    .help = "Lets images stand with channels last between convolutions, turned only at the borders.",
    .run = lay_channels_last,
};

}  // namespace skerry::passes
