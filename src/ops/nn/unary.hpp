/// \file
/// Records of functions of one element: type rule, kernels and price from a row of kernels/tensor/unary.def.
#pragma once

#include <string_view>

#include "kernels/tensor/unary.hpp"
#include "ops/nn/op_record.hpp"

namespace skerry::ops {

/// What a formula takes from the node's attributes.
using ReadParameters = kernels::UnaryParameters (*)(const Node&);
inline kernels::UnaryParameters no_parameters(const Node&) {
  return {};
}

/// Output 0 has input 0's type, which the function must take.
void infer_unary(kernels::Unary f, TypeContext& context);
Expected<std::vector<kernels::Work>> can_unary_f32(kernels::Unary f, const NodeTypes& types);
Expected<std::vector<kernels::Work>> can_unary_half(kernels::Unary f, const NodeTypes& types);
Expected<std::vector<kernels::Work>> can_unary_ref(kernels::Unary f, const NodeTypes& types);
Prepared prepare_unary_f32(kernels::Unary f, kernels::UnaryParameters parameters);
Prepared prepare_unary_half(kernels::Unary f, kernels::UnaryParameters parameters);
Prepared prepare_unary_ref(kernels::Unary f, kernels::UnaryParameters parameters);

template <kernels::Unary F, ReadParameters Read>
inline constexpr KernelRow kUnaryKernels[] = {
    {"unary_f32", [](const Node&, const NodeTypes& types) { return can_unary_f32(F, types); },
     [](const Node& node, const NodeTypes&) { return prepare_unary_f32(F, Read(node)); }},
    {"unary_half", [](const Node&, const NodeTypes& types) { return can_unary_half(F, types); },
     [](const Node& node, const NodeTypes&) { return prepare_unary_half(F, Read(node)); }},
    {"unary_ref", [](const Node&, const NodeTypes& types) { return can_unary_ref(F, types); },
     [](const Node& node, const NodeTypes&) { return prepare_unary_ref(F, Read(node)); }},
};

/// Whether unary_f32() has a function: `yes` where its record lists it.
enum class Vectors : bool { no, yes };

/// The record of function F. Older forms differ only in the dtypes they take (and opset 1's consumed_inputs, a hint
/// about memory).
template <kernels::Unary F, ReadParameters Read = no_parameters, Vectors V = Vectors::yes>
constexpr OpRecord unary_record(std::string_view name, int since_opset, std::string_view help) {
  return {.name = name,
          .since_opset = since_opset,
          .help = help,
          .infer = [](TypeContext& context) { infer_unary(F, context); },
          .kernels = std::span(kUnaryKernels<F, Read>).subspan(V == Vectors::yes ? 0 : 2),
          .in_place_input = 0};
}

}  // namespace skerry::ops
