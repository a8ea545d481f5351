/// \file
/// TypeProto to TensorType.
#pragma once

#include <skerry/graph.hpp>
#include <skerry/limits.hpp>

#include "frontend/onnx/wire.hpp"

namespace skerry::frontend::onnx {

/// The type that a TypeProto states; a dimension that is neither a number >= 0 nor named is anonymous.
/// Errors: unsupported for sparse and opaque types; limit_exceeded past kMaxWraps types inside each other;
/// semantic_error for an empty message.
TensorType read_type(Bytes message, const std::byte* origin, const ImportLimits& limits);

/// The dtype's number in onnx.TensorProto.DataType.
std::int64_t onnx_number(DType dtype);

}  // namespace skerry::frontend::onnx
