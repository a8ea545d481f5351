/// \file
/// What dense operators share: prices of products, constant weights, and when oneDNN takes a convolution.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "kernels/tensor/product.hpp"
#include "ops/nn/kernel_rows.hpp"

namespace skerry::ops {

/// Elements of input `index` when it is a constant f32, else empty. Valid as long as the graph.
std::span<const float> constant_floats(const NodeTypes& types, std::size_t index);

/// Attribute `packed` of a product, [depth, columns, width]: its right side, input 1, is a vector of floats as
/// kernels::pack_right leaves them for tiles of `width` columns. Empty without it. Errors: type_mismatch when the three
/// and the input's extent do not agree.
struct PackedRight {
  std::size_t depth, columns, width;
};
std::optional<PackedRight> packed_right(const Node& node);
void check_packed_right(const TypeContext& context);
/// The product with a constant right side that may be packed already, made ready.
std::shared_ptr<const kernels::ProductF32> prepared_product(const Node& node, const kernels::ProductShape& shape,
                                                            const NodeTypes& types);

/// Output 0 has dtype `result` and the shape of NumPy's matmul of two inputs. Errors: type_mismatch.
void infer_matmul(TypeContext& context, std::size_t left, std::size_t right, DType result);

/// What a pass put behind a Conv or a product: attributes `least` and `most` bound the result, and input `residual`, of
/// the result's shape, is added before that; attribute `activation` names a function of what is left.
struct FusedEnd {
  double least, most;
  std::optional<kernels::Unary> function;
  std::size_t residual;
  FusedEnd(const Node& node, std::size_t residual_input);
  bool any(const Node& node) const;
  kernels::BlockEnd f32(const KernelArguments& arguments) const;
};
/// Checks that residual and activation are what they should be once output 0 has its type. Errors: type_mismatch.
void check_fused_end(TypeContext& context, std::size_t residual_input);
/// The kernel followed by that, for kernels that do not do it themselves.
Prepared finished(Prepared prepared, const Node& node, std::size_t residual_input);

/// Products of f32 by own kernels; `right` is the input whose packing is free when it is constant.
Cost can_product_packed(const kernels::ProductShape& shape, const NodeTypes& types, std::size_t right);
/// Products of any numbers by plain loops.
Cost can_product_ref(const Node& node, const kernels::ProductShape& shape, const NodeTypes& types);

/// Whether oneDNN takes `flops` of float32 work with these weights, else why not.
Expected<bool> onednn_takes(const NodeTypes& types, std::size_t weights, double flops);

}  // namespace skerry::ops
