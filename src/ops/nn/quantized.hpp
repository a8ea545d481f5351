/// \file
/// What operators on quantised tensors share: scales and zero points read from inputs, prices, rows of tables.
#pragma once

#include <vector>

#include "kernels/tensor/quantized.hpp"
#include "ops/nn/kernel_rows.hpp"
#include "ops/nn/typing.hpp"

namespace skerry::ops {

using Bytes = kernels::Types<std::uint8_t, std::int8_t>;

/// The numbers of a scale or zero point as they stand; a missing one is `otherwise`.
std::vector<float> reals_of(TensorView view, float otherwise = 1.0F);
std::vector<std::int32_t> zeros_of(TensorView view);
/// Scale and zero point in inputs `at` and `at + 1` of a run; one number each.
kernels::QuantI8 quant_of(const KernelArguments& arguments, std::size_t at);
/// The view of input `at`, empty when it is left out.
TensorView optional_view(const KernelArguments& arguments, std::size_t at);

inline kernels::ElementsI8 elements_of(const TensorView& view) {
  return {reinterpret_cast<const std::uint8_t*>(view.data()), view.dtype() == DType::i8};
}
inline std::uint8_t* bytes_of(const MutableTensorView& view) {
  return reinterpret_cast<std::uint8_t*>(view.data());
}

/// What a quantised result takes: its dtype, zero point and bounds; scales are the caller's.
kernels::EndI8 end_at(DType dtype, std::int32_t zero);

/// Work of `steps` multiply-adds of 8-bit integers beside moving all inputs and outputs.
std::vector<kernels::Work> steps_i8(const NodeTypes& types, double steps);
/// Two to three passes over 8-bit elements, as element-wise operators on them make.
std::vector<kernels::Work> passes_i8(const NodeTypes& types, double passes);

/// "input 3 is known only when it runs" unless all of these inputs are constant or left out.
Expected<bool> all_known(const NodeTypes& types, std::initializer_list<std::size_t> inputs);

/// Throws unless inputs `at` (a real) and `at + 1` (`dtype`, may be left out) are a scale and its zero point.
void require_quant(const TypeContext& context, std::size_t at, DType dtype);

}  // namespace skerry::ops
