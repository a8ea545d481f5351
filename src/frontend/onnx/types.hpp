/// \file
/// TypeProto to TensorType.
#pragma once

#include <skerry/graph.hpp>
#include <skerry/limits.hpp>

#include "frontend/onnx/wire.hpp"

namespace skerry::frontend::onnx {

/// The tensor type that a TypeProto states; a dimension that is neither a number >= 0 nor named is anonymous.
/// Errors: unsupported for sequences, maps, optionals and sparse types; semantic_error for an empty message.
TensorType read_type(Bytes message, const std::byte* origin, const ImportLimits& limits);

}  // namespace skerry::frontend::onnx
