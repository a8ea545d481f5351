#include <algorithm>
#include <memory>
#include <utility>

#include "kernels/tensor/product.hpp"
#include "ops/nn/dense.hpp"
#include "ops/nn/typing.hpp"

namespace skerry::ops {
namespace {

using kernels::ProductShape;

void infer(TypeContext& context) {
  using MatMulTypes =
      kernels::Join<kernels::Reals, kernels::Types<std::int32_t, std::int64_t, std::uint32_t, std::uint64_t>>;
  require(context, 0, MatMulTypes{});
  require(context, 1, MatMulTypes{});
  require_same(context, 0, 1);
  infer_matmul(context, 0, 1, input(context, 0).dtype);
}

ProductShape shape_of(const NodeTypes& types) {
  return ProductShape::matmul(*types.inputs[0].static_shape(), *types.inputs[1].static_shape());
}

Prepared prepare_packed(const Node&, const NodeTypes& types) {
  // shared: std::function copies its target
  const auto product = std::make_shared<const kernels::ProductF32>(shape_of(types), constant_floats(types, 1));
  return {[product](const KernelArguments& arguments) {
            product->run(arguments.inputs[0].as<float>().data(), arguments.inputs[1].as<float>().data(),
                         kernels::GemmStart::zero, nullptr, arguments.outputs[0].as<float>().data(), arguments.scratch);
          },
          product->scratch_bytes(), product->packed_bytes()};
}

Prepared prepare_ref(const Node&, const NodeTypes& types) {
  return {[shape = shape_of(types)](const KernelArguments& arguments) {
    kernels::product_ref(shape, arguments.inputs[0], arguments.inputs[1], false, arguments.outputs[0]);
  }};
}

constexpr KernelRow kKernels[] = {
    {"gemm_onednn", [](const Node&, const NodeTypes& types) { return can_product_onednn(shape_of(types), types, 1); },
     [](const Node&, const NodeTypes& types) { return prepare_product_onednn(shape_of(types), types, 1, {}); }},
    {"gemm_f32_packed",
     [](const Node&, const NodeTypes& types) { return can_product_packed(shape_of(types), types, 1); }, prepare_packed},
    {"matmul_ref", [](const Node&, const NodeTypes& types) { return can_product_ref(shape_of(types), types); },
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
        "f32, f64, i32, i64, u32 or u64. Integers wrap.",
    .infer = infer,
    .kernels = kKernels,
};

}  // namespace skerry::ops
