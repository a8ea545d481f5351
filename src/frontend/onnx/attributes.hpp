/// \file
/// AttributeProto to Attribute, for every kind but graphs.
#pragma once

#include <optional>
#include <skerry/graph.hpp>
#include <skerry/limits.hpp>

#include "frontend/onnx/model.hpp"
#include "frontend/onnx/tensors.hpp"

namespace skerry::frontend::onnx {

/// The value of an attribute that is no graph; a tensor of strings as a list of them. Errors: unsupported for lists of
/// tensors or graphs and for types; syntax_error; what tensors bring.
Attribute read_attribute(const proto::Attribute& attribute, TensorDecoder& tensors, const std::byte* origin);

/// The tensor that a Constant node of this attribute gives (value, value_int, value_floats, sparse_value, ...).
/// Errors: semantic_error for an attribute that Constant does not have.
Tensor read_constant(const proto::Attribute& attribute, TensorDecoder& tensors, const std::byte* origin);
/// The strings of such a node (value_string, value_strings, value of strings); nothing for one of numbers.
std::optional<TextTensor> read_constant_texts(const proto::Attribute& attribute, TensorDecoder& tensors,
                                              const std::byte* origin);

/// The type in an attribute of kind `type`. Errors: as read_type().
TensorType read_type_attribute(const proto::Attribute& attribute, const std::byte* origin, const ImportLimits& limits);

}  // namespace skerry::frontend::onnx
