/// \file
/// Records of the place of the largest or smallest element along an axis.
#pragma once

#include <string_view>

#include "ops/nn/op_record.hpp"

namespace skerry::ops {

void infer_arg_extreme(TypeContext& context);
/// f32 in vectors, and any numbers by plain loops.
Expected<std::vector<kernels::Work>> can_arg_extreme_f32(const Node& node, const NodeTypes& types);
Expected<std::vector<kernels::Work>> can_arg_extreme_ref(const Node& node, const NodeTypes& types);
Prepared prepare_arg_extreme_f32(bool largest, const Node& node, const NodeTypes& types);
Prepared prepare_arg_extreme_ref(bool largest, const Node& node, const NodeTypes& types);

template <bool Largest>
inline constexpr KernelRow kArgExtremeKernels[] = {
    {"arg_extreme_f32", can_arg_extreme_f32,
     [](const Node& node, const NodeTypes& types) { return prepare_arg_extreme_f32(Largest, node, types); }},
    {"arg_extreme_ref", can_arg_extreme_ref,
     [](const Node& node, const NodeTypes& types) { return prepare_arg_extreme_ref(Largest, node, types); }},
};

template <bool Largest>
constexpr OpRecord arg_extreme_record(std::string_view name, int since_opset, std::string_view help) {
  return {.name = name,
          .since_opset = since_opset,
          .help = help,
          .infer = infer_arg_extreme,
          .kernels = kArgExtremeKernels<Largest>};
}

}  // namespace skerry::ops
