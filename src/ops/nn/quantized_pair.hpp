/// \file
/// QLinearAdd and QLinearMul: two quantised tensors, element by element under broadcasting.
#pragma once

#include "ops/nn/quantized.hpp"

namespace skerry::ops {

/// Inputs a, a_scale, a_zero, b, b_scale, b_zero, y_scale, y_zero.
void infer_quantized_pair(TypeContext& context);
inline Cost can_quantized_pair(const Node&, const NodeTypes& types) {
  return passes_i8(types, 2.0);
}

using PairKernel = void (*)(TensorView, kernels::QuantI8, TensorView, kernels::QuantI8, MutableTensorView,
                            kernels::QuantI8);
template <PairKernel F>
inline constexpr KernelRow kQuantizedPairKernels[] = {
    {"pair_i8", can_quantized_pair, [](const Node&, const NodeTypes&) -> Prepared {
       return {[](const KernelArguments& a) {
         F(a.inputs[0], quant_of(a, 1), a.inputs[3], quant_of(a, 4), a.outputs[0], quant_of(a, 6));
       }};
     }}};

}  // namespace skerry::ops
