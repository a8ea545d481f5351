// Constant right sides of products, and weights of convolutions for channels last, are put into the order in which the
// kernels of this machine read them, once: a package then holds them as they are used, and a plan for new shapes finds
// them ready. Another machine packs them anew.
#include <map>
#include <utility>

#include "base/file.hpp"
#include "kernels/tensor/gemm.hpp"
#include "kernels/tensor/pixels.hpp"
#include "ops/nn/channels_last.hpp"
#include "ops/nn/op_record.hpp"
#include "passes/pass.hpp"

namespace skerry::passes {
namespace {

class Packer {
 public:
  explicit Packer(const Graph& graph) : output_(graph) {}

  Graph run() {
    const std::size_t nodes = output_.nodes().size();
    for (NodeId id = 0; id < nodes; ++id) {
      const Node& node = output_.node(id);
      if (node.op == "MatMul" || node.op == "Gemm") pack(id);
      if (ops::wants_packed_pixels(output_, node)) pack_convolution(id);
    }
    // What kernels read elsewhere than at multiples of its size is copied once, not for every plan. Planning packs a
    // convolution's weights from where they are.
    for (NodeId id = 0; id < nodes; ++id)
      if (output_.node(id).op != "Conv") ops::align_constants(output_, id);
    return std::move(output_);
  }

 private:
  void pack(NodeId id) {
    const Node& node = output_.node(id);
    const ValueId right = node.inputs[1];
    if (node.find("packed") != nullptr || right == kNoValue || !output_.value(right).constant) return;
    const Tensor& weights = *output_.value(right).constant;
    if (weights.dtype() != DType::f32 || weights.shape().rank() != 2 || weights.shape().elements() == 0) return;
    const bool turned = node.op == "Gemm" && node.integer("transB", 0) != 0;
    const std::int64_t depth = weights.shape()[turned ? 1 : 0], columns = weights.shape()[turned ? 0 : 1];
    const ValueId packed = packed_value(right, weights, turned, depth, columns);
    Node& edited = output_.edit_node(id);
    edited.inputs[1] = packed;
    edited.erase("transB");
    edited.set("packed",
               std::vector<std::int64_t>{depth, columns, static_cast<std::int64_t>(kernels::gemm_tile().columns)});
  }

  // Channels last: the tensor keeps its shape, and has the factors of a batch norm in it.
  void pack_convolution(NodeId id) {
    constexpr std::size_t kWeights = 1, kScale = 4;
    const Node& node = output_.node(id);
    const ValueId at = node.inputs[kWeights];
    const ValueId factors = kScale < node.inputs.size() ? node.inputs[kScale] : kNoValue;
    if (factors != kNoValue && !output_.value(factors).constant) return;
    const Tensor weights = *output_.value(at).constant;
    kernels::ConvShape shape;
    shape.outputs = weights.shape()[0];
    shape.channels = weights.shape()[1];
    for (int axis = 2; axis < weights.shape().rank(); ++axis)
      shape.window.kernel[static_cast<std::size_t>(axis + 3 - weights.shape().rank())] = weights.shape()[axis];
    const kernels::PixelPanels panels = kernels::PixelPanels::here();
    Tensor out(DType::f32, weights.shape());
    const Tensor floats = ops::aligned_copy(weights);
    kernels::pack_pixel_weights(
        shape, panels, floats.as<float>(),
        factors == kNoValue ? std::span<const float>() : output_.value(factors).constant->as<float>(),
        out.mutable_view().as<float>());
    base::release_mapped({weights.view().data(), weights.view().bytes()});
    const ValueId packed = output_.add_constant(output_.value(at).name, std::move(out));
    Node& edited = output_.edit_node(id);
    edited.inputs[kWeights] = packed;
    if (edited.inputs.size() > kScale) edited.inputs.resize(kScale);
    while (edited.inputs.back() == kNoValue) edited.inputs.pop_back();
    edited.set("packed", std::vector<std::int64_t>{static_cast<std::int64_t>(panels.panel),
                                                   static_cast<std::int64_t>(panels.lanes)});
  }

  ValueId packed_value(ValueId right, const Tensor& weights, bool turned, std::int64_t depth, std::int64_t columns) {
    const auto found = packed_.find({right, turned});
    if (found != packed_.end()) return found->second;
    const auto k = static_cast<std::size_t>(depth), n = static_cast<std::size_t>(columns);
    Tensor out(DType::f32, {static_cast<std::int64_t>(kernels::packed_right_floats(k, n))});
    const Tensor floats = ops::aligned_copy(weights);  // in a mapped file a tensor may stand anywhere
    kernels::pack_right({floats.as<float>().data(), turned ? 1 : n, turned ? k : 1}, k, n,
                        out.mutable_view().as<float>().data());
    base::release_mapped({weights.view().data(), weights.view().bytes()});  // read no more, as a rule
    const ValueId id = output_.add_constant(output_.value(right).name, std::move(out));
    packed_.emplace(std::pair(right, turned), id);
    return id;
  }

  Graph output_;
  std::map<std::pair<ValueId, bool>, ValueId> packed_;  ///< weights that several products share stay one
};

}  // namespace

extern const GraphPass pack_weights_pass;
const GraphPass pack_weights_pass = {
    .name = "pack_weights",
    .help =
        "Puts the constant sides of products and convolutions into the order in which this machine's kernels read "
        "them.",
    .run = [](const Graph& graph) { return Packer(graph).run(); },
};

}  // namespace skerry::passes
