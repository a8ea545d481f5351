/// \file
/// Circuits in ONNX files: the operator `circuit` of the domain `skerry`.
#pragma once

#include <skerry/graph.hpp>

#include "frontend/onnx/model.hpp"

namespace skerry::frontend::onnx {

/// Is it the operator `circuit` of the domain `skerry`?
bool is_circuit(const proto::Node& node) noexcept;
/// Its attributes become those of the graph's node: `circuit` from Skerry's text form, `observables` from their texts
/// (`0.5*Z0 Z1 - X2`). Errors: semantic_error where `circuit` is no text, and those of reading either text, without a
/// place.
void read_circuit(Node& node);

}  // namespace skerry::frontend::onnx
