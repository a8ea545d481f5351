/// \file
/// Kernels of the products of 8-bit matrices: QLinearMatMul, MatMulInteger and QGemm differ in where their inputs
/// stand.
#pragma once

#include "ops/nn/quantized.hpp"

namespace skerry::ops {

/// Positions of the inputs, past the last one where an operator lacks one. scale_first: a and b are each followed by
/// scale and zero point.
struct QuantizedProduct {
  std::size_t a, a_scale, a_zero, b, b_scale, b_zero, y_scale, y_zero, bias;
  std::size_t real_bias = kNoInput;  ///< f32, of real results: a number for each column
  static constexpr std::size_t kNoInput = 99;
};

/// Output 0 has the shape of MatMul(a, b). Errors: type_mismatch.
void infer_quantized_product(TypeContext& context, const QuantizedProduct& at, DType result);

/// 8-bit matrices by packed panels: one zero point for a, one right matrix or a stack of them.
Cost can_quantized_product(const QuantizedProduct& at, const Node& node, const NodeTypes& types);
Prepared prepare_quantized_product(const QuantizedProduct& at, const Node& node, const NodeTypes& types);
/// Everything else: zero points and scales per row of a too.
Cost can_quantized_product_ref(const QuantizedProduct& at, const Node& node, const NodeTypes& types);
Prepared prepare_quantized_product_ref(const QuantizedProduct& at, const Node& node, const NodeTypes& types);

template <const QuantizedProduct& At>
inline constexpr KernelRow kQuantizedProductKernels[] = {
    {"gemm_i8_packed", [](const Node& node, const NodeTypes& types) { return can_quantized_product(At, node, types); },
     [](const Node& node, const NodeTypes& types) { return prepare_quantized_product(At, node, types); }},
    {"gemm_i8_ref", [](const Node& node, const NodeTypes& types) { return can_quantized_product_ref(At, node, types); },
     [](const Node& node, const NodeTypes& types) { return prepare_quantized_product_ref(At, node, types); }},
};

}  // namespace skerry::ops
