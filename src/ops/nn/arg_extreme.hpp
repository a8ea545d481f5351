/// \file
/// Records of the place of the largest or smallest element along an axis.
#pragma once

#include <string_view>

#include "ops/nn/op_record.hpp"

namespace skerry::ops {

void infer_arg_extreme(TypeContext& context);
Expected<std::vector<kernels::Work>> can_arg_extreme(const Node& node, const NodeTypes& types);
Prepared prepare_arg_extreme(bool largest, const Node& node, const NodeTypes& types);

template <bool Largest>
inline constexpr KernelRow kArgExtremeKernels[] = {
    {"arg_extreme_ref", can_arg_extreme,
     [](const Node& node, const NodeTypes& types) { return prepare_arg_extreme(Largest, node, types); }},
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
