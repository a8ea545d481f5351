/// \file
/// AttributeProto to Attribute, for every kind but graphs.
#pragma once

#include <skerry/graph.hpp>

#include "frontend/onnx/model.hpp"
#include "frontend/onnx/tensors.hpp"

namespace skerry::frontend::onnx {

/// The value of an attribute that is no graph. Errors: unsupported for lists of tensors or graphs and for types;
/// syntax_error; what tensors bring.
Attribute read_attribute(const proto::Attribute& attribute, TensorDecoder& tensors, const std::byte* origin);

/// The tensor that a Constant node of this attribute gives (value, value_int, value_floats, sparse_value, ...).
/// Errors: semantic_error for an attribute that Constant does not have; unsupported for text.
Tensor read_constant(const proto::Attribute& attribute, TensorDecoder& tensors, const std::byte* origin);

}  // namespace skerry::frontend::onnx
