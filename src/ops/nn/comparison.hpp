/// \file
/// Records of comparisons and of the logic of two truth values.
#pragma once

#include <string_view>

#include "kernels/tensor/binary.hpp"
#include "ops/nn/binary.hpp"
#include "ops/nn/broadcast_texts.hpp"
#include "ops/nn/op_record.hpp"

namespace skerry::ops {

void infer_comparison(kernels::Comparison f, TypeContext& context);
Expected<std::vector<kernels::Work>> can_compare(kernels::Comparison f, const NodeTypes& types);
Expected<std::vector<kernels::Work>> can_compare_f32(const NodeTypes& types);
using Compare = void (*)(kernels::Comparison, TensorView, TensorView, MutableTensorView);
Prepared prepare_comparison(Compare compare, kernels::Comparison f, const Node& node);

void infer_logic(TypeContext& context);
Expected<std::vector<kernels::Work>> can_logic(const NodeTypes& types);
Prepared prepare_logic(kernels::Logic f, const Node& node);

template <kernels::Comparison F>
inline constexpr KernelRow kComparisonKernels[] = {
    {"compare_f32", [](const Node&, const NodeTypes& types) { return can_compare_f32(types); },
     [](const Node& node, const NodeTypes&) { return prepare_comparison(kernels::compare_f32, F, node); }},
    {"compare_ref", [](const Node&, const NodeTypes& types) { return can_compare(F, types); },
     [](const Node& node, const NodeTypes&) { return prepare_comparison(kernels::compare, F, node); }},
};

template <kernels::Comparison F>
constexpr OpRecord comparison_record(std::string_view name, int since_opset, std::string_view help) {
  return {.name = name,
          .since_opset = since_opset,
          .help = help,
          .infer = [](TypeContext& context) { infer_comparison(F, context); },
          .upgrade = upgrade_binary,
          .kernels = kComparisonKernels<F>,
          .carry_out = F == kernels::Comparison::equal ? equal_texts : nullptr};
}

template <kernels::Logic F>
inline constexpr KernelRow kLogicKernels[] = {
    {"logic_ref", [](const Node&, const NodeTypes& types) { return can_logic(types); },
     [](const Node& node, const NodeTypes&) { return prepare_logic(F, node); }},
};

template <kernels::Logic F>
constexpr OpRecord logic_record(std::string_view name, int since_opset, std::string_view help) {
  return {.name = name,
          .since_opset = since_opset,
          .help = help,
          .infer = infer_logic,
          .upgrade = upgrade_binary,
          .kernels = kLogicKernels<F>,
          .in_place_input = 0};
}

}  // namespace skerry::ops
