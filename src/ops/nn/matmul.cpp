#include <algorithm>
#include <memory>
#include <utility>

#include "kernels/tensor/binary.hpp"
#include "kernels/tensor/product.hpp"
#include "ops/nn/dense.hpp"
#include "ops/nn/typing.hpp"
#include "ops/nn/widened.hpp"

namespace skerry::ops {
namespace {

using kernels::ProductShape;

// Inputs that passes add: a number for each column, and a tensor of the result's shape.
constexpr std::size_t kBias = 2, kResidual = 3;

void infer(TypeContext& context) {
  using MatMulTypes =
      kernels::Join<kernels::Reals, kernels::Types<std::int32_t, std::int64_t, std::uint32_t, std::uint64_t>>;
  require(context, 0, MatMulTypes{});
  require(context, 1, MatMulTypes{});
  require_same(context, 0, 1);
  infer_matmul(context, 0, 1, input(context, 0).dtype);
  if (const TensorType* bias = optional_input(context, kBias)) {
    require_same(context, 0, kBias);
    const auto packed = packed_right(context.node);
    const std::optional<Dims> columns =
        packed ? Dims{0, static_cast<std::int64_t>(packed->columns)} : input(context, 1).shape;
    const bool fits = !bias->shape || !columns ||
                      (bias->shape->size() == 1 && columns->size() > 1 &&
                       (!bias->shape->front().is_known() || !columns->back().is_known() ||
                        bias->shape->front().value == columns->back().value));
    if (!fits) refuse(context.node, "the bias is " + bias->text() + " but the right side " + input(context, 1).text());
  }
  check_fused_end(context, kResidual);
}

ProductShape shape_of(const Node& node, const NodeTypes& types) {
  const auto packed = packed_right(node);
  const Shape right = packed
                          ? Shape{static_cast<std::int64_t>(packed->depth), static_cast<std::int64_t>(packed->columns)}
                          : *types.inputs[1].static_shape();
  return ProductShape::matmul(*types.inputs[0].static_shape(), right);
}

Prepared prepare_packed(const Node& node, const NodeTypes& types) {
  const auto product = prepared_product(node, shape_of(node, types), types);
  const auto start = has_input(node, kBias) ? kernels::GemmStart::column_bias : kernels::GemmStart::zero;
  return {[product, start, end = FusedEnd(node, kResidual)](const KernelArguments& arguments) {
            const float* bias =
                start == kernels::GemmStart::column_bias ? arguments.inputs[kBias].as<float>().data() : nullptr;
            product->run(arguments.inputs[0].as<float>().data(), arguments.inputs[1].as<float>().data(), start, bias,
                         arguments.outputs[0].as<float>().data(), arguments.scratch, end.f32(arguments));
          },
          product->scratch_bytes(), product->packed_bytes()};
}

Prepared prepare_ref(const Node& node, const NodeTypes& types) {
  return finished({[shape = shape_of(node, types), biased = has_input(node, kBias)](const KernelArguments& arguments) {
                    const MutableTensorView& y = arguments.outputs[0];
                    kernels::product_ref(shape, arguments.inputs[0], arguments.inputs[1], false, y);
                    if (biased) kernels::binary(kernels::Binary::add, y, arguments.inputs[kBias], y);
                  }},
                  node, kResidual);
}

constexpr KernelRow kKernels[] = {
    {"gemm_f32_packed",
     [](const Node& node, const NodeTypes& types) { return can_product_packed(shape_of(node, types), types, 1); },
     prepare_packed},
    kThroughF32,
    {"matmul_ref",
     [](const Node& node, const NodeTypes& types) { return can_product_ref(node, shape_of(node, types), types); },
     prepare_ref},
};

}  // namespace

extern const OpRecord matmul_record;
const OpRecord matmul_record = {
    .name = "MatMul",
    .since_opset = 13,
    .help =
        "Y = A B as NumPy's matmul: the last two axes are matrices, the axes before them broadcast; a vector is a row "
        "on the left, a column on the right, and its axis of extent 1 is dropped. A and B have one dtype: f16, bf16, "
        "f32, f64, i32, i64, u32 or u64. Integers wrap. Where a pass put them in, input 2 is added to every row and "
        "input 3, of Y's shape, to the whole, then Y is kept within least and most and goes through activation.",
    .inputs = 2,
    .infer = infer,
    .kernels = kKernels,
};

}  // namespace skerry::ops
