/// \file
/// Records of sums, extremes and norms along axes.
#pragma once

#include <string_view>

#include "kernels/tensor/reduce.hpp"
#include "ops/nn/op_record.hpp"

namespace skerry::ops {

void infer_reduction(kernels::Reduction f, TypeContext& context);
Expected<std::vector<kernels::Work>> can_reduce_f32(const Node& node, const NodeTypes& types);
Expected<std::vector<kernels::Work>> can_reduce_ref(kernels::Reduction f, const Node& node, const NodeTypes& types);
Prepared prepare_reduce_f32(kernels::Reduction f, const Node& node, const NodeTypes& types);
Prepared prepare_reduce_ref(kernels::Reduction f, const Node& node, const NodeTypes& types);

/// Axes were an attribute before opset 18 (ReduceSum: 13).
void upgrade_reduction(UpgradeContext& context);

template <kernels::Reduction F>
inline constexpr KernelRow kReductionKernels[] = {
    {"reduce_f32", can_reduce_f32,
     [](const Node& node, const NodeTypes& types) { return prepare_reduce_f32(F, node, types); }},
    {"reduce_ref", [](const Node& node, const NodeTypes& types) { return can_reduce_ref(F, node, types); },
     [](const Node& node, const NodeTypes& types) { return prepare_reduce_ref(F, node, types); }},
};

/// Vectors: whether reduce_f32() has F.
template <kernels::Reduction F, bool Vectors = true>
constexpr OpRecord reduction_record(std::string_view name, int since_opset, std::string_view help) {
  return {.name = name,
          .since_opset = since_opset,
          .help = help,
          .infer = [](TypeContext& context) { infer_reduction(F, context); },
          .upgrade = upgrade_reduction,
          .kernels = std::span(kReductionKernels<F>).subspan(Vectors ? 0 : 1)};
}

}  // namespace skerry::ops
