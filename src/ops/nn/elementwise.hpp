/// \file
/// What a chain of element-wise functions may be made of, and how a node spells such a chain.
#pragma once

#include <optional>
#include <string_view>

#include "kernels/tensor/elementwise.hpp"
#include "ops/nn/op_record.hpp"

namespace skerry::ops {

/// The operator that a chain becomes.
inline constexpr std::string_view kElementwise = "skerry.Elementwise";

/// A node's function where a chain may hold it: its spelling there and its parameters. Whether it takes f32 and fits
/// the chain's shape is for the caller to see.
struct ElementwiseFunction {
  std::string_view spelling;
  bool pair;  ///< of two operands
  kernels::UnaryParameters parameters;
};
std::optional<ElementwiseFunction> elementwise_function(const Node& node);

}  // namespace skerry::ops
