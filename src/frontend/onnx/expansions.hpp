/// \file
/// Operators that are no more than others put together: they are written out when a model is read.
#pragma once

#include <functional>
#include <skerry/graph.hpp>
#include <string>
#include <string_view>

namespace skerry::frontend::onnx {

/// Adds the nodes that `node` stands for to its graph and gives their result, a value of name `output`. unique: a name
/// like this one that nobody has. Errors: type_mismatch at the node.
using Expansion = ValueId (*)(Graph& graph, const Node& node, const std::string& output,
                              const std::function<std::string(std::string)>& unique);

/// Null where the operator of this record name is not of that kind.
Expansion expansion_of(std::string_view op) noexcept;

}  // namespace skerry::frontend::onnx
