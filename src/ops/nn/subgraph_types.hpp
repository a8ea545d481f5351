/// \file
/// What the type rules of If, Loop, Scan and SequenceMap read off their subgraphs, which infer_subgraphs() typed
/// before.
#pragma once

#include <cstddef>
#include <string_view>

#include "ops/nn/op_record.hpp"

namespace skerry::ops {

/// The graph in an attribute, which has `outputs` results. Errors: type_mismatch.
const Graph& subgraph(const Node& node, std::string_view attribute, std::size_t outputs);
const TensorType& output_type(const Graph& graph, std::size_t index);

/// What a value is that has one of two types: extents that differ are unknown, an optional and what it may hold are an
/// optional. Errors: type_mismatch for two dtypes, or a tensor and a sequence.
TensorType merged(const Node& node, const TensorType& a, const TensorType& b);

/// Trailing inputs that are what the subgraphs read from outside. Errors: type_mismatch when there are more than
/// inputs.
std::size_t captures(const Node& node);
/// Inputs of a Loop that it carries from turn to turn; of a Scan, its states. Errors: type_mismatch.
std::size_t loop_states(const Node& node);
std::size_t scan_states(const Node& node);
std::size_t scanned_inputs(const Node& node);

}  // namespace skerry::ops
