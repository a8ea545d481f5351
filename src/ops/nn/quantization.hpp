/// \file
/// What QuantizeLinear and DequantizeLinear share: where the scales lie.
#pragma once

#include "kernels/tensor/quantize.hpp"
#include "ops/nn/op_record.hpp"

namespace skerry::ops {

/// Throws type_mismatch unless scale (and zero point) are a scalar, a vector along `axis`, or blocks along it.
void check_scales(const TypeContext& context);

/// Precondition: check_scales passed on static types.
kernels::ScaleLayout scale_layout(const Node& node, const NodeTypes& types);

}  // namespace skerry::ops
