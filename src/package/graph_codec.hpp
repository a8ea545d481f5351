/// \file
/// Graphs as FlatBuffers (schema/graph.fbs), their constants in the section `weights`.
#pragma once

#include <package_schema/graph_generated.h>

#include <skerry/graph.hpp>

#include "package/fields.hpp"
#include "package/program_builder.hpp"
#include "package/weights.hpp"

namespace skerry::package {

inline constexpr const char* kGraphIdentifier = "SKGR";

/// The graph as a table; its constants and tensor attributes are placed in `weights`.
/// Errors: limit_exceeded (size, graphs within graphs), semantic_error (a constant whose type is another), those of
/// WeightLayout::place.
flatbuffers::Offset<fbs::Graph> encode_graph(const Graph& graph, ProgramBuilder& builder, WeightLayout& weights);

/// Whether a value of the graph, or of one inside it, is a sequence, an optional or a map.
bool has_wraps(const Graph& graph);

/// The graph of a verified table, not yet passed by ir::verify; constants point into `weights`.
/// Errors: corrupt, limit_exceeded; version_too_new for a dtype or attribute kind that is not known.
Graph decode_graph(const fbs::Graph& table, Fields& fields, const Weights& weights);

}  // namespace skerry::package
