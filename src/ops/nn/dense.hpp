/// \file
/// What dense operators share: prices of products, constant weights, and oneDNN as one of their kernels.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "kernels/tensor/product.hpp"
#include "ops/nn/kernel_rows.hpp"

namespace skerry::ops {

/// Elements of input `index` when it is a constant f32, else empty. Valid as long as the graph.
std::span<const float> constant_floats(const NodeTypes& types, std::size_t index);

/// Output 0 has dtype `result` and the shape of NumPy's matmul of two inputs. Errors: type_mismatch.
void infer_matmul(TypeContext& context, std::size_t left, std::size_t right, DType result);

/// What a pass put behind a Conv or Gemm: attributes `least` and `most` bound the result, and input `residual`, of the
/// result's shape, is added before that.
struct FusedEnd {
  double least, most;
  std::size_t residual;
  FusedEnd(const Node& node, std::size_t residual_input);
  bool any(const Node& node) const;
  kernels::BlockEnd f32(const KernelArguments& arguments) const;
};
/// The kernel followed by that, for kernels that do not do it themselves.
Prepared finished(Prepared prepared, const Node& node, std::size_t residual_input);

/// Products of f32 by own kernels; `right` is the input whose packing is free when it is constant.
Cost can_product_packed(const kernels::ProductShape& shape, const NodeTypes& types, std::size_t right);
/// Products of any numbers by plain loops.
Cost can_product_ref(const kernels::ProductShape& shape, const NodeTypes& types);

/// Whether oneDNN takes `flops` of float32 work with these weights, else why not.
Expected<bool> onednn_takes(const NodeTypes& types, std::size_t weights, double flops);
/// One product with constant weights by oneDNN, and its kernel. bias: `columns` floats or empty.
Cost can_product_onednn(const kernels::ProductShape& shape, const NodeTypes& types, std::size_t right);
Prepared prepare_product_onednn(const kernels::ProductShape& shape, const NodeTypes& types, std::size_t right,
                                std::span<const float> bias);

}  // namespace skerry::ops
