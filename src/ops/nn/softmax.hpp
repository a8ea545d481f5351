/// \file
/// What Softmax and LogSoftmax share.
#pragma once

#include "ops/nn/op_record.hpp"
#include "ops/nn/widened.hpp"

namespace skerry::ops {

void infer_softmax(TypeContext& context);
/// Before opset 13 the axes from `axis` (default 1) on were one; said by the integer attribute `flatten`.
void upgrade_softmax(UpgradeContext& context);
/// f32 in vectors, and any reals by plain loops.
Expected<std::vector<kernels::Work>> can_softmax_f32(const Node& node, const NodeTypes& types);
Expected<std::vector<kernels::Work>> can_softmax_ref(const Node& node, const NodeTypes& types);
Prepared prepare_softmax_f32(const Node& node, const NodeTypes& types, bool logarithm);
Prepared prepare_softmax_ref(const Node& node, const NodeTypes& types, bool logarithm);

template <bool Logarithm>
inline constexpr KernelRow kSoftmaxKernels[] = {
    {"softmax_f32", can_softmax_f32,
     [](const Node& node, const NodeTypes& types) { return prepare_softmax_f32(node, types, Logarithm); }},
    kThroughF32,
    {"softmax_ref", can_softmax_ref,
     [](const Node& node, const NodeTypes& types) { return prepare_softmax_ref(node, types, Logarithm); }}};

}  // namespace skerry::ops
