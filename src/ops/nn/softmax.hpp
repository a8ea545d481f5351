/// \file
/// What Softmax and LogSoftmax share.
#pragma once

#include "ops/nn/op_record.hpp"

namespace skerry::ops {

void infer_softmax(TypeContext& context);
/// Before opset 13 the axes from `axis` (default 1) on were one; said by the integer attribute `flatten`.
void upgrade_softmax(UpgradeContext& context);
Prepared prepare_softmax(const Node& node, const NodeTypes& types, bool logarithm);
Expected<std::vector<kernels::Work>> can_softmax(const Node& node, const NodeTypes& types);

}  // namespace skerry::ops
