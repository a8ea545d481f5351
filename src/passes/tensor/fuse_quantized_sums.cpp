// A sum of quantised tensors is added by the convolution that makes one of them, while its results are in registers:
//
//     QLinearConv ─ QLinearAdd r      becomes      QLinearConv with inputs 9 to 13 = r, its scale and zero point, and
//                                                  those of the sum
//
// The result of the convolution is rounded as before it is added, so no bit changes. After channels_last, because only
// convolutions with channels last add.
#include <algorithm>
#include <cstring>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "passes/pass.hpp"

namespace skerry::passes {
namespace {

constexpr std::size_t kResultScale = 6, kBias = 8;  // of QLinearConv

class SumFuser {
 public:
  explicit SumFuser(const Graph& graph) : output_(graph), dead_(graph.nodes().size(), 0), uses_(graph.use_counts()) {}

  Graph run() {
    for (NodeId id = 0; id < output_.nodes().size(); ++id) {
      if (output_.node(id).op == "com.microsoft.QLinearAdd") add(id);
    }
    output_.compact(dead_);
    return std::move(output_);
  }

 private:
  static ValueId input(const Node& node, std::size_t index) {
    return index < node.inputs.size() ? node.inputs[index] : kNoValue;
  }
  const Tensor* constant(ValueId id) const {
    return id == kNoValue || !output_.value(id).constant ? nullptr : &*output_.value(id).constant;
  }
  // One number that is known, or (a zero point) none.
  bool is_number(ValueId id, bool may_miss) const {
    if (id == kNoValue) return may_miss;
    return constant(id) != nullptr && constant(id)->shape().elements() == 1;
  }
  // A missing zero point is 0.
  bool same_number(ValueId a, ValueId b) const {
    if (a == b) return true;
    const Tensor *left = constant(a), *right = constant(b);
    const auto bytes = [](const Tensor& tensor) {
      return std::span<const std::byte>(tensor.view().data(), tensor.view().bytes());
    };
    const auto is_zero = [&](const Tensor& tensor) {
      return std::ranges::all_of(bytes(tensor), [](std::byte byte) { return byte == std::byte{0}; });
    };
    if (a == kNoValue || b == kNoValue) {
      const Tensor* const given = a == kNoValue ? right : left;
      return given != nullptr && is_zero(*given);
    }
    if (left == nullptr || right == nullptr) return false;
    return left->dtype() == right->dtype() && std::ranges::equal(bytes(*left), bytes(*right));
  }

  static bool same_shape(const TensorType& a, const TensorType& b) {
    return a.dtype == b.dtype && a.shape && b.shape &&
           std::ranges::equal(*a.shape, *b.shape, [](const Dim& x, const Dim& y) { return x.same_as(y); });
  }

  // The convolution that makes input `side` of a sum, if it can end with the sum.
  std::optional<NodeId> maker(const Node& sum, std::size_t side) const {
    const ValueId id = sum.inputs[side];
    if (output_.value(id).producer == kNoNode || uses_[id] != 1) return std::nullopt;
    const NodeId maker = output_.value(id).producer;
    const Node& node = output_.node(maker);
    const bool takes = node.op == "QLinearConv" && node.integer("channels_last", 0) != 0 &&
                       node.integer("group", 1) == 1 && node.inputs.size() <= kBias + 1;
    if (!takes || !same_number(input(node, kResultScale), input(sum, side + 1)) ||
        !same_number(input(node, kResultScale + 1), input(sum, side + 2)))
      return std::nullopt;
    return maker;
  }

  void add(NodeId id) {
    const Node sum = output_.node(id);
    for (const std::size_t scale : {std::size_t{1}, std::size_t{4}, std::size_t{6}}) {
      if (!is_number(input(sum, scale), false) || !is_number(input(sum, scale + 1), true)) return;
    }
    const bool fits = sum.inputs[0] != sum.inputs[3] &&
                      same_shape(output_.value(sum.inputs[0]).type, output_.value(sum.inputs[3]).type);
    if (!fits) return;
    const auto left = maker(sum, 0), right = maker(sum, 3);
    if (!left && !right) return;
    // The later of two convolutions: less has to be kept until the sum.
    const bool from_right = right && (!left || *right > *left);
    const std::size_t other = from_right ? 0 : 3;
    const NodeId from = from_right ? *right : *left;
    Node fused = output_.node(from);
    fused.outputs = sum.outputs;
    fused.inputs.resize(kBias + 1, kNoValue);
    for (const std::size_t i : {other, other + 1, other + 2, std::size_t{6}, std::size_t{7}})
      fused.inputs.push_back(input(sum, i));
    if (from_right) fused.set("residual_left", std::int64_t{1});
    output_.edit_node(id) = std::move(fused);
    dead_[from] = 1;
  }

  Graph output_;
  std::vector<std::uint8_t> dead_;
  const std::vector<std::uint32_t> uses_;
};

Graph fuse_quantized_sums(const Graph& graph) {
  return SumFuser(graph).run();
}

}  // namespace

extern const GraphPass fuse_quantized_sums_pass;
const GraphPass fuse_quantized_sums_pass = {
    .name = "fuse_quantized_sums",
    .help = "Adds quantised residuals to convolutions of integers while the result is in registers.",
    .run = fuse_quantized_sums,
};

}  // namespace skerry::passes
