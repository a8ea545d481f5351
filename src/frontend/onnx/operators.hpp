/// \file
/// Names of operators: which opsets a model is written against, its own functions, and whether all of it is known.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "frontend/onnx/model.hpp"

namespace skerry::frontend::onnx {

/// `ai.onnx` is another spelling of the empty domain.
std::string_view plain_domain(std::string_view domain) noexcept;
/// Name of an operator's record: `Conv`, `com.microsoft.Gelu`.
std::string record_name(const proto::Node& node);

/// The version of each domain that a model or function imports.
class Opsets {
 public:
  /// outer: asked for domains not imported here (by a function inside its model), or null; must live longer.
  /// Errors: version_too_new with both numbers for ONNX's own domain; semantic_error for a version below 1.
  Opsets(const std::vector<proto::OpsetId>& imports, const Opsets* outer);
  /// Takes ONNX's own domain to be at version 1 if it is not imported.
  void assume_first();
  /// Version of the domain; 1 for one that is not imported, as some exporters leave out those beside ONNX's own.
  /// Errors: semantic_error when ONNX's own is not imported.
  int version(std::string_view domain) const;
  /// Refuses an operator of a version that is newer than its record. Errors: version_too_new with both numbers.
  void require_known(std::string_view domain) const;

 private:
  const Opsets* outer_;
  std::map<std::string, int, std::less<>> versions_;
};

/// The functions of one model, by domain, name and overload. A view: the model must live longer.
class FunctionTable {
 public:
  /// Errors: semantic_error for a function defined twice or one that calls itself, with the calls on the way.
  explicit FunctionTable(const proto::Model& model, std::uint32_t max_nesting);
  /// The function that a node calls, null for an operator.
  const proto::Function* find(const proto::Node& node) const;

 private:
  std::unordered_map<std::string, const proto::Function*> functions_;
};

/// Errors: unsupported when operators reachable from the model's graph have no record: all of them in one message, each
/// with the names of nodes that use it.
void require_known_operators(const proto::Model& model, const FunctionTable& functions);

}  // namespace skerry::frontend::onnx
