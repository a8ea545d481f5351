/// \file
/// Records of sums, extremes and norms along axes.
#pragma once

#include <string_view>

#include "kernels/tensor/reduce.hpp"
#include "ops/nn/op_record.hpp"

namespace skerry::ops {

void infer_reduction(kernels::Reduction f, TypeContext& context);
Expected<std::vector<kernels::Work>> can_reduce_f32(kernels::Reduction f, const Node& node, const NodeTypes& types);
Expected<std::vector<kernels::Work>> can_reduce_ref(kernels::Reduction f, const Node& node, const NodeTypes& types);
Prepared prepare_reduce_f32(kernels::Reduction f, const Node& node, const NodeTypes& types);
Prepared prepare_reduce_ref(kernels::Reduction f, const Node& node, const NodeTypes& types);

/// Axes were an attribute before opset 18 (ReduceSum: 13).
void upgrade_reduction(UpgradeContext& context);

template <kernels::Reduction F>
inline constexpr KernelRow kReductionKernels[] = {
    {"reduce_f32", [](const Node& node, const NodeTypes& types) { return can_reduce_f32(F, node, types); },
     [](const Node& node, const NodeTypes& types) { return prepare_reduce_f32(F, node, types); }},
    {"reduce_ref", [](const Node& node, const NodeTypes& types) { return can_reduce_ref(F, node, types); },
     [](const Node& node, const NodeTypes& types) { return prepare_reduce_ref(F, node, types); }},
};

template <kernels::Reduction F>
constexpr OpRecord reduction_record(std::string_view name, int since_opset, std::string_view help) {
  return {.name = name,
          .since_opset = since_opset,
          .help = help,
          .infer = [](TypeContext& context) { infer_reduction(F, context); },
          .upgrade = upgrade_reduction,
          .kernels = std::span(kReductionKernels<F>).subspan(F == kernels::Reduction::prod ? 1 : 0)};
}

}  // namespace skerry::ops
