#include "ops/nn/softmax.hpp"

#include "kernels/tensor/normalize.hpp"
#include "ops/nn/kernel_rows.hpp"
#include "ops/nn/typing.hpp"

namespace skerry::ops {
namespace {

// x as [outer, length, inner] around the axis.
struct Extents {
  std::int64_t outer = 1, length = 1, inner = 1;
};

Extents extents(const Node& node, const Shape& shape) {
  Extents out;
  const auto rank = static_cast<std::size_t>(shape.rank());
  // A scalar is a row of one element.
  const std::size_t axis = rank == 0 ? 0 : normal_axis(node, node.integer("axis", -1), rank);
  const bool flatten = node.integer("flatten", 0) != 0;
  for (std::size_t i = 0; i < rank; ++i) {
    const std::int64_t extent = shape[static_cast<int>(i)];
    if (i < axis) {
      out.outer *= extent;
    } else if (i == axis || flatten) {
      out.length *= extent;
    } else {
      out.inner *= extent;
    }
  }
  return out;
}

}  // namespace

void infer_softmax(TypeContext& context) {
  require(context, 0, kernels::Reals{});
  const TensorType& x = input(context, 0);
  if (x.shape && !x.shape->empty()) normal_axis(context.node, context.node.integer("axis", -1), x.shape->size());
  same_as_input(context);
}

void upgrade_softmax(UpgradeContext& context) {
  if (context.from_opset >= 13) return;
  if (context.node.find("axis") == nullptr) context.node.set("axis", std::int64_t{1});
  context.node.set("flatten", std::int64_t{1});
}

Expected<std::vector<kernels::Work>> can_softmax_f32(const Node&, const NodeTypes& types) {
  if (!is_f32(types)) return no_kernel(types.inputs[0].dtype);
  return transcendental(types);
}

// Two functions of each element in f64.
Expected<std::vector<kernels::Work>> can_softmax_ref(const Node&, const NodeTypes& types) {
  if (!kernels::Reals::contains(types.inputs[0].dtype)) return no_kernel(types.inputs[0].dtype);
  constexpr double kOfFunctions = 15.0;
  return element_steps(types, kOfFunctions + half_steps(types.inputs[0].dtype));
}

Prepared prepare_softmax_f32(const Node& node, const NodeTypes& types, bool logarithm) {
  const Extents e = extents(node, *types.inputs[0].static_shape());
  const auto softmax = e.inner == 1 ? [](const Extents& s, bool of, const float* x,
                                         float* y) { kernels::softmax_f32(x, s.outer, s.length, of, y); }
                                    : [](const Extents& s, bool of, const float* x, float* y) {
                                        if (s.length > 0)
                                          kernels::softmax_columns_f32(x, s.outer, s.length, s.inner, of, y);
                                      };
  return {[=](const KernelArguments& a) {
    softmax(e, logarithm, a.inputs[0].as<float>().data(), a.outputs[0].as<float>().data());
  }};
}

Prepared prepare_softmax_ref(const Node& node, const NodeTypes& types, bool logarithm) {
  const Extents e = extents(node, *types.inputs[0].static_shape());
  return {[e, logarithm](const KernelArguments& a) {
    kernels::softmax(a.inputs[0], e.outer, e.length, e.inner, logarithm, a.outputs[0]);
  }};
}

extern const OpRecord softmax_record;
const OpRecord softmax_record = {
    .name = "Softmax",
    .since_opset = 13,
    .help =
        "exp(x) / sum exp(x) along `axis` (default the last), shifted by the largest element so that nothing "
        "overflows. "
        "x: reals. Before opset 13 all axes from `axis` (default 1) on counted as one.",
    .infer = infer_softmax,
    .upgrade = upgrade_softmax,
    .kernels = kSoftmaxKernels<false>,
    .in_place_input = 0,
};

}  // namespace skerry::ops
