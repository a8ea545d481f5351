/// \file
/// Records of arithmetic on two elements, or on as many inputs as there are, under NumPy broadcasting.
#pragma once

#include <cstdint>
#include <string_view>

#include "kernels/tensor/halves.hpp"
#include "ops/nn/op_record.hpp"

namespace skerry::ops {

/// Before opset 7 the second input was stretched only if `broadcast` was 1, and its axes stood from attribute `axis`
/// on. Keeps `axis` where it means something; aligned() honours it.
void upgrade_binary(UpgradeContext& context);

/// The second input's shape as broadcasting to the right edge wants it: unit axes behind an `axis` of an older opset.
std::optional<std::vector<Dim>> aligned(const Node& node, const TensorType& first, const TensorType& second);
/// The same of a view. No data moves.
TensorView aligned(const Node& node, TensorView first, TensorView second);

/// How many inputs an operator takes: two, or one and more.
enum class Arity : std::uint8_t { two, any };

/// All inputs have one dtype; gives the broadcast shape to output 0 with dtype `result`.
void infer_broadcast(TypeContext& context, DType result, Arity arity = Arity::two);

/// Type rule of add, sub, mul, div, ...: also follows shapes as data.
void infer_binary(kernels::Binary f, TypeContext& context, Arity arity = Arity::two);
Expected<std::vector<kernels::Work>> can_binary_f32(kernels::Binary f, const NodeTypes& types);
Expected<std::vector<kernels::Work>> can_binary_half(kernels::Binary f, const NodeTypes& types);
Expected<std::vector<kernels::Work>> can_binary_ref(kernels::Binary f, const NodeTypes& types);
using ApplyBinary = void (*)(kernels::Binary, TensorView, TensorView, MutableTensorView);
Prepared prepare_binary(ApplyBinary apply, kernels::Binary f, const Node& node);

template <kernels::Binary F>
inline constexpr KernelRow kBinaryKernels[] = {
    {"binary_f32", [](const Node&, const NodeTypes& types) { return can_binary_f32(F, types); },
     [](const Node& node, const NodeTypes&) { return prepare_binary(kernels::binary_f32, F, node); }},
    {"binary_half", [](const Node&, const NodeTypes& types) { return can_binary_half(F, types); },
     [](const Node& node, const NodeTypes&) { return prepare_binary(kernels::binary_half, F, node); }},
    {"binary_ref", [](const Node&, const NodeTypes& types) { return can_binary_ref(F, types); },
     [](const Node& node, const NodeTypes&) { return prepare_binary(kernels::binary, F, node); }},
};

/// The record of function F; with any number of inputs it is the identity of one, and applied from left to right.
template <kernels::Binary F, Arity A = Arity::two>
constexpr OpRecord binary_record(std::string_view name, int since_opset, std::string_view help) {
  return {.name = name,
          .since_opset = since_opset,
          .help = help,
          .infer = [](TypeContext& context) { infer_binary(F, context, A); },
          .upgrade = upgrade_binary,
          .kernels = kBinaryKernels<F>,
          .in_place_input = 0};
}

}  // namespace skerry::ops
