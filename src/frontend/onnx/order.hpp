/// \file
/// Which nodes must come before which: the names a graph takes from outside, and an order of use.
#pragma once

#include <string_view>
#include <unordered_map>
#include <vector>

#include "frontend/onnx/model.hpp"

namespace skerry::frontend::onnx {

/// The names that subgraphs read from the scopes around them. Remembers each graph's answer.
class FreeNames {
 public:
  /// max_names: bounds what all answers together hold, since nesting repeats names. Errors: limit_exceeded.
  explicit FreeNames(std::uint64_t max_names) : max_names_(max_names) {}
  /// Names that the subgraphs of a node read but do not make, each once, in order of first use.
  std::vector<std::string_view> of(const proto::Node& node);

 private:
  const std::vector<std::string_view>& of(const proto::Graph& graph);

  std::uint64_t max_names_;
  std::uint64_t names_ = 0;
  std::unordered_map<const proto::Graph*, std::vector<std::string_view>> known_;
};

/// Indices of `nodes` such that every node stands behind those whose outputs it or its subgraphs read; the file's own
/// order where that is right already, else as close to it as possible.
/// Errors: semantic_error when two nodes make one name, or for a cycle, with the names of nodes on it.
std::vector<std::size_t> order_of_use(const std::vector<proto::Node>& nodes, FreeNames& free_names);

}  // namespace skerry::frontend::onnx
