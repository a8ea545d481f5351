/// \file
/// Graphs as ONNX models, for other runtimes and tools.
#pragma once

#include <skerry/graph.hpp>
#include <string>

namespace skerry::emit {

/// The bytes of a ModelProto: opset 21, or the one that brought an operator which is newer; weights inside. Values and
/// nodes keep their names; a value without one, or whose name is taken, gets another.
///
/// Errors: unsupported for subgraphs, circuits, constants of strings, and operators with attributes that only compiling
/// gives (write the graph before it is compiled); limit_exceeded past 2 GiB, which no protobuf message may have.
std::string onnx(const Graph& graph);

}  // namespace skerry::emit
